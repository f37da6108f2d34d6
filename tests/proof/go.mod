// Checks notes and proofs with Go's own packages.
module greffe.test/proof

go 1.26.0

require golang.org/x/mod v0.42.0
