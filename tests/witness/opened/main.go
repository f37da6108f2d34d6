// opened says which of the given keys signed a note: Go's own note package opens it.
//
//	opened FILE VKEY…
package main

import (
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	var verifiers []note.Verifier
	for _, vkey := range os.Args[2:] {
		var verifier note.Verifier
		if verifier, err = note.NewVerifier(vkey); err != nil {
			verifier, err = torchwood.NewCosignatureVerifier(vkey)
		}
		if err != nil {
			fail(err)
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		fail(err)
	}
	for _, signature := range opened.Sigs {
		fmt.Printf("signed by %s\n", signature.Name)
	}
	for _, signature := range opened.UnverifiedSigs {
		fmt.Printf("unknown %s\n", signature.Name)
	}
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	if err != nil {
		fail(err)
	}
	fmt.Printf("size %d of %s\n", checkpoint.N, checkpoint.Origin)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
