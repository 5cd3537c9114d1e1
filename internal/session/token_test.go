package session

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func FuzzParseRefreshToken(f *testing.F) {
	key := bytes.Repeat([]byte{7}, 32)
	good := refreshToken{session: uuid.UUID{1, 2, 3}, generation: 3, secret: [secretBytes]byte{4, 5}}.encode(key)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(strings.ToLower(good))
	f.Add("csr_")
	f.Add("csr_" + strings.Repeat("\n", 40) + strings.Repeat("A", 51))
	f.Fuzz(func(t *testing.T, text string) {
		parsed, ok := parseRefreshToken(key, text)
		if ok && parsed.encode(key) != text {
			t.Errorf("%q and %q are the same token", text, parsed.encode(key))
		}
		if ok && text != good {
			t.Errorf("%q is a forgery", text)
		}
	})
}

func FuzzDecodeChain(f *testing.F) {
	c := chain{usedAt: time.UnixMicro(1)}
	f.Add(c.encode())
	f.Add([]byte{chainFormat})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeChain(b); err == nil && !bytes.Equal(c.encode(), b) {
			t.Errorf("%x is read as %x", b, c.encode())
		}
	})
}

func TestChainLeadsToTheSameSuccessor(t *testing.T) {
	t.Parallel()
	id := uuid.Must(uuid.NewV7())
	tokens := []refreshToken{newRefreshToken(id, 1)}
	c := chain{newest: tokens[0].hash()}
	for i := range 5 {
		tokens = append(tokens, newRefreshToken(id, uint32(i+2)))
		c = c.next(tokens[i], tokens[i+1], time.Unix(int64(i+1), 0))
		record := c.encode()
		for _, secret := range tokens {
			if bytes.Contains(record, secret.secret[:]) {
				t.Fatal("a token lies in the record in clear")
			}
		}
		kept, err := decodeChain(record)
		if err != nil || !kept.usedAt.Equal(c.usedAt) {
			t.Fatal(kept.usedAt, err)
		}
		got, err := kept.parent.successor(tokens[i])
		if err != nil || got != tokens[i+1] || !kept.parent.is(tokens[i]) || kept.parent.is(tokens[i+1]) {
			t.Fatal("the parent leads elsewhere", err)
		}
		if i > 0 {
			if got, err := kept.grandparent.successor(tokens[i-1]); err != nil || got != tokens[i] {
				t.Fatal("the grandparent leads elsewhere", err)
			}
			if _, err := kept.grandparent.successor(tokens[i]); err == nil {
				t.Fatal("a link opens with another token")
			}
		}
	}
	if kept := (chain{}); kept.parent.is(refreshToken{}) {
		t.Error("an empty link is somebody's")
	}
}
