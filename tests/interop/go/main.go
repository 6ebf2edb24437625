// Verifies our notes and proofs with golang.org/x/mod/sumdb: the code that Go's own checksum
// database uses, in which signed notes and this tree were first written down.
//
// One JSON document on standard input, of what is to be verified; one line for each on standard
// output: "ok", or what is wrong.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type check struct {
	Key   string // of the log
	Note  string // a signed checkpoint
	Row   string // whose inclusion is to be shown, unless Old is there
	Index int64
	Old   string   // an earlier signed checkpoint
	Path  []string // base64
	Sign  string   // a private key: sign Text with it
	Text  string
}

func main() {
	var checks []check
	if err := json.NewDecoder(os.Stdin).Decode(&checks); err != nil {
		panic(err)
	}
	for _, one := range checks {
		said, err := verify(one)
		if err != nil {
			said = "refused: " + err.Error()
		}
		answer, _ := json.Marshal(said)
		fmt.Println(string(answer))
	}
}

func verify(one check) (string, error) {
	if one.Sign != "" {
		signer, err := note.NewSigner(one.Sign)
		if err != nil {
			return "", err
		}
		signed, err := note.Sign(&note.Note{Text: one.Text}, signer)
		return string(signed), err
	}
	tree, err := open(one.Note, one.Key)
	if err != nil {
		return "", err
	}
	var path []tlog.Hash
	for _, step := range one.Path {
		hash, err := tlog.ParseHash(step)
		if err != nil {
			return "", err
		}
		path = append(path, hash)
	}
	if one.Old != "" {
		old, err := open(one.Old, one.Key)
		if err != nil {
			return "", err
		}
		return "ok", tlog.CheckTree(path, tree.N, tree.Hash, old.N, old.Hash)
	}
	leaf := tlog.RecordHash([]byte(one.Row))
	return "ok", tlog.CheckRecord(path, tree.N, tree.Hash, one.Index, leaf)
}

func open(text, key string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tree, err
	}
	opened, err := note.Open([]byte(text), note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("no checkpoint of this log")
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree, err
	}
	hash, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(hash) != tlog.HashSize {
		return tree, fmt.Errorf("no hash: %v", err)
	}
	copy(tree.Hash[:], bytes.Clone(hash))
	return tree, nil
}
