package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Parse reads master keys from text, one a line: 32 bytes as base64, of either alphabet and padded or not, or as hex.
// White space around them is no part of them. The errors repeat nothing of the text.
func Parse(text string) (*Box, error) {
	var masters [][]byte
	for n, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if line = strings.TrimSpace(line); line == "" && n > 0 {
			continue
		}
		master, ok := decode(line)
		switch {
		case line == "":
			return nil, errors.New("there is no master key in it")
		case !ok:
			return nil, fmt.Errorf("line %d is no master key: it must be %d random bytes as base64 or hex; make one with `openssl rand -base64 %d`", n+1, Size, Size)
		case bytes.Count(master, master[:1]) == Size:
			return nil, fmt.Errorf("line %d is one byte over and over, and no random key", n+1)
		}
		masters = append(masters, master)
	}
	return New(masters...)
}

// Generate returns a new master key, as Parse reads it.
func Generate() string {
	master := make([]byte, Size)
	_, _ = rand.Read(master) // never fails
	return base64.StdEncoding.EncodeToString(master)
}

// decode returns the bytes that line spells. No text spells two keys: as hex they take 64 digits, as base64 43 or 44.
func decode(line string) ([]byte, bool) {
	if len(line) == hex.EncodedLen(Size) {
		master, err := hex.DecodeString(line)
		return master, err == nil
	}
	line = strings.NewReplacer("-", "+", "_", "/").Replace(line)
	if len(line) == base64.StdEncoding.EncodedLen(Size) {
		line = strings.TrimSuffix(line, "=")
	}
	if strings.Contains(line, "\r") { // which the decoder would skip
		return nil, false
	}
	master, err := base64.RawStdEncoding.Strict().DecodeString(line)
	return master, err == nil && len(master) == Size
}
