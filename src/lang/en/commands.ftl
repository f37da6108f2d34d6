# What commands print of verified evidence. Terms stand in a column of eleven characters.

# Terms
term-chain = chain
term-entry = entry
term-key = key
term-checkpoint = checkpoint
term-signed-by = signed by
term-head = head
term-new = new
term-newest = newest
term-made = made
term-intact = intact
term-included = included
term-signed = signed
term-anchored = anchored
term-witnessed = witnessed
term-timestamped = timestamped
term-complete = complete
term-replayed = replayed
term-live = live
term-cosigned = cosigned
term-fresh = fresh
term-promoted = promoted
term-sealed = sealed
term-from = from
term-withheld = withheld

# Events
act-genesis = genesis
act-plan = plan
act-apply = apply
act-rollback = rollback
act-fail = fail
act-baseline = baseline
act-stamp = stamp
act-repair = repair
act-attach = attach
act-drift = drift
act-trust = trust
act-erase = erase

# Verdicts and times
verify-holds = verified
verify-fails = NOT verified
verify-yes = yes
verify-no = no
verify-unknown-chain = unknown chain
verify-findings = { $count } finding(s):
made-not-before = not before { $word }
made-not-after = not after { $word }
word-signers = { $at } (its signers say)
word-authority = { $at } (the timestamp authority { $name } says)
word-witness = { $at } (the witness { $name } says)

# greffe verify
verify-summary = { $verdict }: { $name }, { $entries } entries, from { $root }
verify-new = { $entries } entries; those before were verified here before
verify-intact = every byte, link and step of the story holds
verify-intact-new = every new byte and link holds, and goes on from what was verified here before
verify-signed = signatures meet the trust document
verify-anchored = the chain is one that you trust; `--require CID` insists on it
verify-witnessed = other parties saw the same chain
verify-timestamped = a timestamp authority saw the head
verify-complete = every block was there
verify-replayed = the scripts make the schema that was signed
verify-live = the database has that schema now
verify-cosigned = by { $witness }: it saw all entries
verify-cosigned-at = by { $witness }: it saw all entries by { $at }
fresh-nobody = nobody vouched for this head at a time that has been
fresh-signers = the newest word on this head is its signers', { $age } old
fresh-authority = the newest word on this head is that of the timestamp authority { $name }, { $age } old
fresh-witness = the newest word on this head is that of the witness { $name }, { $age } old
age-now = less than a minute
age-minutes = { $count } minutes
age-hours = { $count } hours
age-days = { $count } days
verify-promoted = { $count } links to another chain followed
verify-promoted-away = { $count } links to another chain followed, { $away } not: that chain is not at hand
verify-sealed = { $count } files: { $states }
sealed-open = { $count } opened
sealed-sealed = { $count } not opened
sealed-erased = { $count } erased
sealed-lost = { $count } lost
sealed-tampered = { $count } tampered with
sealed-missing = { $count } missing
verify-from = { $name } ({ $blocks } blocks)
verify-from-fault = { $name } ({ $blocks } blocks): { $fault }
verify-fork = both versions are signed by the chain's own keys; show it to others with

# greffe verify-evidence
evidence-summary = { $verdict }: { $name }, entry { $seq }, { $event }, { $at }
evidence-summary-version = { $verdict }: { $name }, entry { $seq }, { $event } of version { $version }, { $at }
evidence-unreadable = { $verdict }: { $name }, an entry that cannot be read
evidence-stolen = { $key }, told stolen since entry { $since }
evidence-stolen-after = { $key }, told stolen since entry { $since }; this entry is before that
evidence-retired = { $key }, told retired since entry { $since }
evidence-retired-after = { $key }, told retired since entry { $since }; this entry is before that
evidence-checkpoint = { $entries } entries, root { $root }
evidence-intact = every block, the statement and the bundle are those of the entry
evidence-included = it stands in the tree of the checkpoint, as do the trust documents
evidence-signed = entry and checkpoint are signed as the trust documents ask for
evidence-anchored = the chain, a root key or the head is one that you trust
evidence-witnessed = other parties saw no other tree of this size
evidence-timestamped = a timestamp authority saw the checkpoint
evidence-cosigned = by { $witness }: it saw the checkpoint
evidence-cosigned-at = by { $witness }: it saw the checkpoint by { $at }
evidence-withheld = sealed file { $cid }
evidence-open = not established by this evidence:
open-anchored = that this is the chain that you mean; `--require ANCHOR` insists on one
open-other-trust = that no other trust document came between those that are shown, or after them: one may say that a key which signed this was stolen
open-other-entries = what other entries say: whether this migration was undone, or the story has contradictions
open-one-tree = that the signers show everyone the same tree: no policy asks for cosignatures that are there
open-time = when it happened: times are those of who signed, no valid timestamp or cosignature is later
open-sealed = what is in its sealed files

# greffe log
log-entry = entry { $seq } { $manifest }
log-event = Event:
log-date = Date:
log-actor = Actor:
log-key = Key:
log-target = Target:
log-purpose = Purpose:
log-impact = Impact:

# greffe report --out
written-file = wrote { $file }: { $bytes } bytes, sha256 { $digest }
written-complete = no entry is missing
written-missing = entries are MISSING
written-range = entries { $first } to { $last }
written-none = no entry
written-summary = { $verdict }, { $complete }: { $range }, { $entries } in scope, { $changes } changes, { $sheets } sheets
