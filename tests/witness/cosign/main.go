// cosign prints an ML-DSA-44 witness' verifier key, and its line for the checkpoint in a note.
//
//	cosign NAME SECONDS FILE
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"filippo.io/mldsa"
	"filippo.io/torchwood"
)

func main() {
	name := os.Args[1]
	seconds, err := strconv.ParseUint(os.Args[2], 10, 63)
	check(err)
	text, err := os.ReadFile(os.Args[3])
	check(err)
	body, _, _ := strings.Cut(string(text), "\n\n")
	checkpoint, err := torchwood.ParseCheckpoint(body + "\n")
	check(err)
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), make([]byte, 32))
	check(err)

	message := []byte("subtree/v1\n\x00")
	message = append(append(message, byte(len(name))), name...)
	message = binary.BigEndian.AppendUint64(message, seconds)
	message = append(append(message, byte(len(checkpoint.Origin))), checkpoint.Origin...)
	message = binary.BigEndian.AppendUint64(message, 0)
	message = binary.BigEndian.AppendUint64(message, uint64(checkpoint.N))
	message = append(message, checkpoint.Hash[:]...)
	signature, err := key.SignDeterministic(message, nil)
	check(err)

	public := append([]byte{6}, key.PublicKey().Bytes()...)
	id := sha256.Sum256(append([]byte(name+"\n"), public...))
	line := binary.BigEndian.AppendUint64(id[:4:4], seconds)
	fmt.Printf("%s+%x+%s\n", name, id[:4], base64.StdEncoding.EncodeToString(public))
	fmt.Printf("\u2014 %s %s\n", name, base64.StdEncoding.EncodeToString(append(line, signature...)))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
