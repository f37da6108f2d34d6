# What `greffe watch` tells of what it finds. Rules are sentences without their end.

rule-schema-out-of-band = the live schema is not the one that the newest entry left
rule-change-out-of-band = a change of the schema did not come through greffe
rule-guard-fails = the guard of the database does not tell of every change of the schema
rule-unarchived-change = a change is in the database and not yet in the archive
rule-unknown-key = a key that the trust document does not name signed
rule-revoked-key = a key that was revoked or stolen signed
rule-outside-window = a migration ran outside the declared window
rule-fork = two versions of the chain are signed, and neither goes on from the other
rule-rollback = the chain is shorter than what was seen of it before
rule-stale = the newest word on the head is older than it may be
rule-replication-below-target = fewer replicas keep the head than have to
rule-access-burst = sealed content was opened more often within an hour than it may be
rule-slow-migration = a migration took more than three times the median of the twenty before it
rule-clock-offset = a clock is off by more than is tolerated
rule-unverified = verification finds something else that is wrong
rule-differs = archive, folder and database differ
rule-replica-differs = a replica does not keep what it was given, or shows something else
rule-replica-unreachable = a replica or witness cannot be reached
rule-undelivered-head = a replica is owed the head
rule-erasure-due = sealed content is kept for longer than it may be, or soon will be
rule-waiver-due = a waiver or attestation has ended, or soon will
rule-unreachable = something that is watched could not be looked at

severity-info = info
severity-warning = warning
severity-critical = critical

watch-finding = { $subject }: { $rule }

# Mail
mail-title = [greffe { $name }] { $severity }: { $code }, { $subject }
mail-title-ended = [greffe { $name }] ended: { $severity }: { $code }, { $subject }
mail-gone = It is not found any more.
mail-name = chain: { $name }
mail-chain = chain: { $name } ({ $chain })
mail-rule = rule: { $code } ({ $rule })
mail-since = since: { $since }
mail-at = at: { $at }

# What is open
watch-nothing = { $name }: nothing found
watch-found = { $name }: { $count ->
    [one] { $count } finding
   *[other] { $count } findings
}
watch-owed = { $count ->
    [one] { $count } alert waits to be delivered
   *[other] { $count } alerts wait to be delivered
}
