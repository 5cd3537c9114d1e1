package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// readHtpasswd reads NAME:HASH lines. A name is an address, or becomes one with the domain that is given.
func readHtpasswd(_ context.Context, _ Dump, in *input, o Options, yield func(Record) error) error {
	in.hashes = true
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, readAhead)
	for n := 1; lines.Scan(); n++ {
		in.passed(in.read, maxRecord)
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		name, rest, found := strings.Cut(string(text), ":")
		if !found || !utf8.Valid(text) {
			return fmt.Errorf("line %d: this is not NAME:HASH", n)
		}
		hash, _, _ := strings.Cut(rest, ":")
		rec := Record{Place: fmt.Sprintf("line %d", n), Email: name, Hash: hash}
		if !strings.Contains(name, "@") && o.Domain != "" {
			rec.Email = addressOf(name, o.Domain)
		}
		if hash == "" { // which would be a user without a password, and is one who had an empty one
			rec = rec.skipped(HashUnknown, "it is empty")
		}
		if err := yield(rec); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errors.New("a line has over 64 KiB: this is no password file")
	}
	return lines.Err()
}
