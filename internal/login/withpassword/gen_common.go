//go:build ignore

// This program writes common.bin, the table that common.go searches, from lists of passwords:
//
//	go run gen_common.go common.bin FILE…
//
// A FILE is text with a password on each line, such text in gzip (.gz), or a JSON array of strings (.json). The table in
// the tree was made from these two, which are not in the tree themselves:
//
//   - common-passwords.txt.gz of Django 3.2 (Debian package python3-django 3:3.2.25-0+deb12u7, in
//     django/contrib/auth; `apt-get download python3-django` and `dpkg -x`): 19,726 passwords that Royce Williams took
//     from Have I Been Pwned by their counts. BSD-3-Clause, © Django Software Foundation and individual contributors.
//   - src/passwords.json of the npm package @zxcvbn-ts/language-common 4.1.3 (`npm pack`): 49,233 passwords of zxcvbn's
//     frequency list. MIT, © 2012-2016 Dan Wheeler and Dropbox, Inc., © 2021 @zxcvbn-ts.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// width is commonWidth in common.go.
const width = 6

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: go run gen_common.go common.bin FILE…")
	}
	var entries [][]byte
	longest := 0
	for _, path := range os.Args[2:] {
		words, err := read(path)
		if err != nil {
			log.Fatalf("%s: %v", path, err)
		}
		for _, word := range words {
			if word == "" {
				continue
			}
			folded := strings.ToLower(norm.NFC.String(word)) // as fold in policy.go
			sum := sha256.Sum256([]byte(folded))
			entries = append(entries, sum[:width])
			longest = max(longest, len(folded))
		}
	}
	slices.SortFunc(entries, bytes.Compare)
	entries = slices.CompactFunc(entries, bytes.Equal)
	if err := os.WriteFile(os.Args[1], bytes.Join(entries, nil), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d passwords, the longest of %d bytes (commonLongest in common.go)\n", len(entries), longest)
}

func read(path string) (words []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var in io.Reader = file
	switch {
	case strings.HasSuffix(path, ".json"):
		err = json.NewDecoder(in).Decode(&words)
		return words, err
	case strings.HasSuffix(path, ".gz"):
		if in, err = gzip.NewReader(in); err != nil {
			return nil, err
		}
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		words = append(words, lines.Text())
	}
	return words, lines.Err()
}
