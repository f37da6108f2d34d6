# What verification finds, by its code. Variables are the members that `--json` has.

finding-block-corrupt = The block's bytes do not hash to its CID.
finding-block-missing = The block is missing.
finding-car-damaged = The file stops being a CARv1 file at byte { $offset }: { $detail }
finding-car-block-corrupt = The block at byte { $offset } is not the one that its CID names.
finding-malformed = Malformed { $what }: { $detail }
finding-seq-gap = The manifest says that it is entry { $found }, and stands in the place of entry { $expected }.
finding-link-differs = “{ $member }” is { $found } and not { $expected }.
finding-statement-differs = “{ $member }” of the statement is not that of the manifest.
finding-subjects-differ = The subjects of the statement are not the files of the manifest: { $detail }
finding-duplicate-event = Event { $id } is archived twice.
finding-bad-signature = The signature by key { $keyid } is not over this.
finding-threshold = Valid signatures in the role “{ $role }”: { $counted } of { $needed }; by revoked keys: { $revoked }, by unknown keys: { $unknown }.
finding-compromised = Key { $keyid }, stolen since entry { $since } as entry { $entry } says, signed it, and without it too few keys did.
finding-approver-compromised = Key { $keyid }, stolen since entry { $since } as entry { $entry } says, approved it, and without it too few people did.
finding-no-trust = No trust document is in force, so no signature counts.
finding-trust-version = The version of the trust document is { $found } and not { $expected }.
finding-event-order = A “{ $event }” event at entry { $seq }: a chain begins with “genesis” and has no second one.
finding-file-digest = { $name } does not hash to its digest: { $found } and not { $expected }.
finding-file-size = The size of { $name } in bytes is { $found } and not { $expected }.
finding-file-layout = { $name } is laid out in other blocks than the profile makes.
finding-sealing = { $name }: { $detail }
finding-sealed-lost = { $name } is sealed, and its key is gone though nothing says that it was erased.
finding-sealed-key-damaged = { $name } is sealed, and its key cannot be read: the vault is damaged.
finding-erased-but-opens = { $name } is erased, as the chain says, and a key opens it.
finding-sealed-tampered = { $name } is not what was sealed: { $detail }
finding-applied-twice = Version { $version } is applied again while it is applied.
finding-not-applied = Version { $version } is rolled back while it is not applied.
finding-approvals-missing = Approvals that count: { $counted } of { $needed }. { $refused }
finding-plan-differs = The plan is not what the log says of it: { $detail }
finding-unplanned = Version { $version } ran without a plan; approvals that the trust document asks for: { $needed }.
finding-not-as-planned = Version { $version } is said to run by the plan { $plan }: { $detail }
finding-promotion-differs = Version { $version } is said to be promoted from { $from }: { $detail }
finding-outcome-differs = A “{ $event }” event says: { $outcome }
finding-schema-changed = The schema changed outside of the archive: it was { $expected } and is { $found }.
finding-ends-before-start = It ends at { $finishedAt }, before it starts at { $startedAt }.
finding-time-backwards = Time runs backwards: { $found } after { $earlier }.
finding-head-differs = “{ $member }” of the head is not what the manifests make: { $found } and not { $expected }.
finding-tile-surplus = The tree has { $path }, which a tree of this size has not.
finding-tile-missing = The tree lacks { $path }.
finding-tile-differs = { $path } is not what the manifests make.
finding-checkpoint-differs = “{ $member }” of the checkpoint is { $found } and not { $expected }.
finding-checkpoint-unsigned = No key that may sign entries signed the checkpoint.
finding-not-included = It is not proved to be in the tree of the checkpoint: { $reason }
finding-evidence-differs = { $what } is not that of the entry: { $detail }
finding-entries-shape = The tree of entries: { $detail }
finding-not-anchored = The chain is { $chain }, which is none that this verifier was told to trust.
finding-rolled-back = Cut back: a head of this chain with more entries ({ $seen } and not { $found }) was verified before, { $newest }.
finding-forked = Forked: entry { $entry } is not the one that was verified before, { $expected }.
finding-tree-forked = Forked: the tree of the first entries ({ $entries }) is not the one that was verified before, { $expected }.
finding-policy-malformed = The witness policy of { $whose ->
    [trust-document] the trust document
   *[verifier] the verifier
} cannot be read: { $detail }
finding-cosignature-invalid = The cosignature of the witness { $witness } ({ $vkey }) is not over this checkpoint.
finding-quorum-unmet = Too few witnesses cosigned the checkpoint for the policy of { $whose ->
    [trust-document] the trust document
   *[verifier] the verifier
}. Did: { $cosigned }. Did not: { $missing }.
finding-replay = The scripts cannot be run again up to the signed schema: { $reason }
finding-hook-verdict-differs = The hook “{ $hook }” does not answer what the entry says that it answered: { $detail }
finding-policy-verdict-differs = The policy packs do not say what the entry says that they said: { $detail }
finding-live-schema = The schema of the database is { $found }, and the newest one that was signed is { $expected }.
finding-timestamp = Timestamp token { $token } proves nothing: { $reason ->
    [other-bytes] it is over other bytes than the checkpoint's signature
    [other-request] it answers another request
    [other-content] what the authority says is not what was signed
    [no-certificate] the certificate of its signer is not in it
    [purpose] its certificate is not for timestamps alone
    [signature] its signature is not by its certificate
    [window] a certificate did not count at its time
    [other-authority] no authority of the trust document vouches for it
    [early] its time is before the end of the newest entry
   *[malformed] it is not one that RFC 3161 describes
}.
finding-timestamps-too-many = The head has more timestamp tokens than are looked at: { $count }.
