// Checks what greffe writes with the packages of Go's own checksum database, which it shares no code with.
//
//	proof inclusion FILE.tlog-proof VERIFIER-KEY LEAF-HEX
//	proof consistency OLD-SIZE OLD-ROOT NEW-SIZE NEW-ROOT HASH...
package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 4 && arguments[0] == "inclusion":
		return inclusion(arguments[1], arguments[2], arguments[3])
	case len(arguments) >= 5 && arguments[0] == "consistency":
		return consistency(arguments[1:])
	}
	return errors.New("usage: proof inclusion FILE KEY LEAF | proof consistency OLD ROOT NEW ROOT HASH...")
}

func inclusion(file, key, leaf string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	record, err := hex.DecodeString(leaf)
	if err != nil {
		return err
	}
	front, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(front, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	body := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(body[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := tlog.ParseHash(body[2])
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	if proof, err = hashes(lines[2:]); err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(record)); err != nil {
		return err
	}
	fmt.Printf("included: %d of %d, signed by %s\n", index, size, opened.Sigs[0].Name)
	return nil
}

func consistency(arguments []string) error {
	old, err := strconv.ParseInt(arguments[0], 10, 64)
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(arguments[2], 10, 64)
	if err != nil {
		return err
	}
	roots, err := hashes([]string{arguments[1], arguments[3]})
	if err != nil {
		return err
	}
	var proof tlog.TreeProof
	if proof, err = hashes(arguments[4:]); err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, size, roots[1], old, roots[0]); err != nil {
		return err
	}
	fmt.Printf("consistent: %d to %d\n", old, size)
	return nil
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		bytes, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(bytes) != tlog.HashSize {
			return nil, fmt.Errorf("not a hash: %q", line)
		}
		hashes = append(hashes, tlog.Hash(bytes))
	}
	return hashes, nil
}
