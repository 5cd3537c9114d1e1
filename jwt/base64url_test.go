package jwt

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzBase64URL holds the decoder against encoding/base64, which must be kept from skipping line breaks.
func FuzzBase64URL(f *testing.F) {
	for _, s := range []string{"", "A", "AA", "AB", "AAA", "AAB", "AAAA", "AAAAA", "AAAAAAAA", "AAAAAAAAAA", "eyJhbGciOiJIUzI1NiJ9", "-_-_-_-_-_", "AA==", "AA=", "A\nA",
		"AAAA\r\nAAAA", "A+A/", "AAA.", "\xff\xff\xff\xff", "AAAAAAAAAAAA\x80AAA", "AAAAAAAAé"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := make([]byte, decodedLen(len(text)))
		ok := decodeBase64URL(got, text)
		want, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if wantOK := err == nil && !strings.ContainsAny(text, "\r\n"); ok != wantOK {
			t.Fatalf("%q: %v, encoding/base64 says %v", text, ok, err)
		}
		if ok && !bytes.Equal(got, want) {
			t.Fatalf("%q is decoded to %x, want %x", text, got, want)
		}
	})
}

// TestBase64URLEveryByte puts every byte at every place of a group, in the part that is decoded eight at a time and in those
// that are not.
func TestBase64URLEveryByte(t *testing.T) {
	t.Parallel()
	for length := range 28 {
		text := []byte(strings.Repeat("A", length))
		into := make([]byte, decodedLen(length))
		for at := range text {
			for c := range 256 {
				text[at] = byte(c)
				want, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
				wantOK := err == nil && c != '\r' && c != '\n'
				if ok := decodeBase64URL(into, string(text)); ok != wantOK || ok && !bytes.Equal(into, want) {
					t.Fatalf("%q: %v, %x; want %v, %x", text, ok, into, wantOK, want)
				}
			}
			text[at] = 'A'
		}
	}
}
