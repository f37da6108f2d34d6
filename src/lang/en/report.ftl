# Reports on changes. What stands behind a dash in an id is the word of the format that it tells.

# Times, durations
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
day = { $day } { $month } { $year }
moment = { $day }, { $time } UTC
unit-microseconds = { $number } µs
unit-milliseconds = { $number } ms
unit-seconds = { $number } s
unit-minutes = { $number } min
unit-hours = { $number } h
yes = yes
no = no

# The top
report-title = Change report: { $name }
report-kind = Change report
scope-whole = The whole chain, from its first entry to its newest
scope-period = From { $from } to { $until }, both included (UTC)
scope-from = From { $from } on (UTC)
scope-until = Up to { $until }, included (UTC)
scope-release = Release { $release }
scope-entries = Entries { $first } to { $last }
verdict-verified = Verified: nothing is wrong, and no entry is missing
verdict-incomplete = Not complete: entries of this scope cannot be read
verdict-findings = { $count ->
    [one] Not verified: one finding
   *[other] Not verified: { $count } findings
}
population-counted = { $expected ->
    [one] Entry { $first }: { $read } of { $expected } entry read.
   *[other] Entries { $first } to { $last }: { $read } of { $expected } entries read.
}
population-empty = No entry of the chain is in this scope.
fact-chain = Chain
fact-head = Head
fact-manifest = Manifest
fact-merkle = Merkle root
tree-of = { $count ->
    [one] of the first entry
   *[other] of the first { $count } entries
}
fact-date = Date of this report
date-given = given by whoever made it
date-of-head = the time of the newest entry
fact-not-before = Newest entry made not before
fact-not-after = … and not after
fact-program = Written by
nobody-else = nobody but the signers says so
clock-signers = by the clock of those who sign the chain
clock-authority = by the timestamp authority { $name }
clock-witness = by the witness { $name }

# Figures
heading-summary = At a glance
tile-entries = { $count ->
    [one] entry in scope
   *[other] entries in scope
}
tile-changes = { $count ->
    [one] change among them
   *[other] changes among them
}
tile-succeeded = { $count ->
    [one] change succeeded
   *[other] changes succeeded
}
tile-failed = { $count ->
    [one] change failed
   *[other] changes failed
}
tile-rolled-back = { $count ->
    [one] change taken back later
   *[other] changes taken back later
}
tile-approvals = changes with the approvals that they needed
tile-unplanned = { $count ->
    [one] change ran without a plan
   *[other] changes ran without a plan
}
tile-abandoned = { $count ->
    [one] plan given up
   *[other] plans given up
}
tile-waivers = { $count ->
    [one] waiver of a rule
   *[other] waivers of rules
}
tile-drifts = { $count ->
    [one] change of the schema outside of the chain
   *[other] changes of the schema outside of the chain
}
tile-median = median duration of a change
tile-sealed = { $count ->
    [one] sealed file, { $erased } erased
   *[other] sealed files, { $erased } erased
}

# Pictures
heading-pictures = In pictures
picture-timeline = Changes over time
picture-durations = How long changes took
picture-durations-under = Half took { $median } or less, nineteen of twenty { $most } or less, the longest { $longest }.
picture-drift = Schema from entry to entry
picture-copies = Copies and witnesses
drift-same = as the entry before left it
drift-recorded = changed outside, recorded here
drift-broken = changed outside of the chain
drift-unknown = no fingerprint tells
copies-not-asked = Copies were not asked for: `--replicas` adds what the machine that makes the report knows of them.
copies-none = No replica is set where this report was made.
copies-witnesses = { $count ->
    [0] No witness that a policy names cosigned this head.
    [one] One witness cosigned this head.
   *[other] { $count } witnesses cosigned this head.
}

# Population
heading-population = Population
population-method = Every entry of the chain has a number, and its manifest names the one before it. The population is every number from the first entry of the scope to the last; nothing is chosen.
population-first = First entry
population-last = Last entry
population-count = Entries read
population-missing = Missing numbers
population-none-missing = none
population-some-missing = missing
population-before = Entry before
population-after = Entry behind
population-begins = none: the chain begins here
population-ends = none: the chain ends here
population-outside = Entries in italics lie between entries of the scope and do not belong to it; they are counted, so that no number is left out.
column-entry = Entry
column-finished = Ended (UTC)
column-event = Event
column-version = Version
column-deployer = Run by
column-approvals = Approvals
column-outcome = Outcome
column-manifest = Manifest
row-unreadable = This entry cannot be read.
told-sealed = sealed
told-erased = sealed, and erased since
told-nothing = not said
outcome = Outcome
outcome-succeeded = succeeded
outcome-failed = failed
outcome-rolled-back = taken back later
event-genesis = beginning
event-plan = plan
event-apply = applied
event-rollback = rolled back
event-fail = failed
event-baseline = adopted
event-stamp = marked
event-repair = repaired
event-attach = attachment
event-drift = drift
event-trust = trust
event-erase = erasure

# Sample
heading-sample = Sample
sample-method = Changes are put in the order of the SHA-256 of the seed, a line feed and the CID of the manifest; the first ones are drawn. Whoever has the seed draws the same.
sample-seed = Seed
sample-size = Drawn
sample-drawn = { $count } of { $of }
column-place = Place
column-digest = SHA-256

# Sheets
heading-changes = Changes
changes-all = A sheet for every change of the scope.
changes-sampled = A sheet for each change that was drawn.
changes-none = There is no change in this scope.
entry-number = Entry { $seq }
sheet-verified = verified
sheet-findings = findings
part-what = What
part-why = Why, and to what effect
part-risk = Risk
part-people = Who
part-times = When
part-tests = Tested
part-policy = Rules and waivers
part-back = Way back
part-outcome = Outcome
what-name = Name
what-target = Database
what-statements = Statements
what-no-statements = not told
what-rows = { $count ->
    [one] · { $count } row
   *[other] · { $count } rows
}
what-files = Files
what-depends = Depends on
what-sectors = Sectors
what-executor = Run with
what-evidence = Known
what-build = Build
evidence-executed = run by greffe itself
evidence-captured = seen while it happened
evidence-imported-exact = found later, its bytes fixed by the tool's own checksum
evidence-imported-weak = found later, its bytes not fixed
evidence-bare = found later, without a script
file-size = { $count ->
    [one] { $count } byte
   *[other] { $count } bytes
}
file-approval = approval
file-down = way down
file-evidence = evidence
file-notices = notices
file-output = output
file-rendered = SQL that ran
file-trust = trust document
file-up = script
why-purpose = Purpose
why-impact = Impact
risk-class = Class
risk-because = Because
risk-lint = Rules
risk-high = high risk
risk-medium = medium risk
risk-low = low risk
risk-unknown = risk unknown
lint-sealed = not asked: no script is in clear
lint-nothing = nothing found in the scripts
lint-error = error
lint-warning = warning
lint-note = note
reason-removes = rows, columns or objects are removed
reason-rights = rights or accounts change
reason-lint-error = a rule of the level “error” finds something
reason-changes-rows = rows that were there change
reason-changes-objects = objects that were there change
reason-other-statement = a statement of a kind that is not known
reason-no-transaction = it ran outside of a transaction
reason-no-way-back = no script takes it back
reason-lint-warning = a rule of the level “warning” finds something
reason-adds = objects or rows are added
reason-nothing-told = it is not told what ran
people-author = Author
people-no-plan = not recorded: it ran without a plan
people-approvers = Approvers
people-nobody = nobody
people-approvals = Approvals
people-counted = { $counted } of { $needed } needed
people-key = key { $key }
people-deployer = Run by
people-another = Approved by somebody other than author and runner
people-same = Run by its author
people-plan = Plan
times-started = Began
times-finished = Ended
times-took = Took
times-server = Server's clock
times-source = Clock
clock-runner = of the machine that ran it, signed by its key
tests-promoted = Ran before in
tests-not-promoted = no other chain is named
tests-hooks = Hooks
tests-no-hooks = none were asked
hook-allow = allowed
hook-warn = allowed, with a warning
hook-deny = refused
hook-other = another answer
policy-packs = Packs
policy-rules = Rules
policy-none = no policy pack was in force
policy-waivers = Waivers
waivers-none = none
waiver-until = until { $day }
rule-kept = kept
rule-attested = attested
rule-waived = waived
rule-broken = broken
rule-attestation-required = attestation required
rule-not-applicable = about nothing here
rule-other = another verdict
back-says = As documented
back-script = Script
back-script-there = archived
back-script-none = none archived
back-by = Taken back by
back-reverts = Takes back
outcome-error = Error
outcome-statement = statement { $statement }
schema-before = Schema before
schema-after = Schema after
schema-continuity = Schema
proof-keys = Signed by key
proof-command = Show it to others

# Other entries
heading-others = Other entries
others-method = Entries of the population that change neither schema nor rows: plans, keys, erasures, attachments.
others-none = There are none.
column-by = By
column-what = What
other-plans = Plans { $versions }.
other-trust = Trust document, version { $version }.
other-erases = { $count ->
    [one] Erases { $count } sealed block, on the basis { $basis }.
   *[other] Erases { $count } sealed blocks, on the basis { $basis }.
}
other-about = About entries { $entries }.

# Findings
heading-findings = Findings
findings-none = Verification of the whole chain found nothing.
column-code = Code
column-established = Established
column-holds = Holds
established-intact = Every byte, link and step of the story is what it has to be
established-signed = Signatures meet the trust documents in force
established-complete = Every block was there
established-anchored = The chain is one that the verifier was told to trust
established-witnessed = Witnesses saw the same chain
established-timestamped = A timestamp authority saw the head

# Controls
heading-controls = Where this page answers what is asked of changes
controls-method = For auditors, in our own words; the frameworks themselves say what counts.
column-asked = Asked
column-where = Here
column-reference = Reference
control-reason = What is changed and why is written down
control-reason-where = “What” and “Why, and to what effect” of each sheet
control-impact = Effect and risk are considered
control-impact-where = “Why, and to what effect”, and “Risk”
control-approval = Somebody who may approves before it runs
control-approval-where = “Who”: approvals are signatures over the plan, counted again by this report
control-tests = It is tried before
control-tests-where = “Tested”, and “Rules and waivers”
control-back = It can be taken back, or failure is handled
control-back-where = “Way back”, and “Outcome”
control-duties = Author, approver and runner are not one person
control-duties-where = “Who”
control-complete = The record is complete and unaltered
control-complete-where = “Population” and “Findings”
control-exceptions = Exceptions are justified and end
control-exceptions-where = “Rules and waivers”, and failed or unplanned changes

# Commands
heading-commands = Check this page
commands-method = With greffe and the chain; nothing here has to be believed.
command-verify = Verify the whole chain:
command-again = Make this page again; it is the same byte for byte:
command-again-without-copies = Make this page again, but for what is known of copies here:
command-json = The same facts as data:
command-sample = Check a place in the sample, by the CID of its manifest:

# Limits
heading-limits = What this page does not tell
limit-names = Who a pseudonym stands for. The vault of the chain's owner knows, and it is asked through the owner.
limit-approvals = Whether an approver looked. An approval is a signature over exactly the plan that ran.
limit-tests = Tests outside of the chain, unless a staging chain or a hook is named.
limit-clocks = When it happened beyond the word of whoever ran it, except between the bounds at the top.
limit-risk = Whether a risk was acceptable. Classes follow fixed rules over kinds of statements and findings of `greffe lint`.
limit-later = What came after the head at the top. Ask whoever keeps or witnesses the chain for its newest head.
limit-details = Details of findings are in English, as the archive's own codes are.
footer = Written by { $program } from the chain alone. It holds no script and loads nothing.
