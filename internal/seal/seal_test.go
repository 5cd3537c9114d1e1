package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/seal"
)

func master(fill byte) []byte {
	return append(bytes.Repeat([]byte{fill}, seal.Size-1), fill+1)
}

func box(t testing.TB, masters ...[]byte) *seal.Box {
	t.Helper()
	b, err := seal.New(masters...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOpen(t *testing.T) {
	t.Parallel()
	b, other := box(t, master(1)), box(t, master(2))
	secret := []byte("a secret that is longer than a block of AES")
	sealed := b.Seal("secret", "root", secret)
	if bytes.Contains(sealed, secret[:8]) || bytes.Equal(sealed, b.Seal("secret", "root", secret)) {
		t.Fatalf("sealed as %q", sealed)
	}
	for _, tt := range []struct {
		name     string
		box      *seal.Box
		kind, id string
		record   []byte
		err      error
	}{
		{"as it was sealed", b, "secret", "root", sealed, nil},
		{"of another id", b, "secret", "roo", sealed, seal.ErrDamaged},
		{"of another kind", b, "key", "root", sealed, seal.ErrDamaged},
		{"split elsewhere", b, "secretr", "oot", sealed, seal.ErrDamaged},
		{"under another key", other, "secret", "root", sealed, seal.ErrOtherKey},
		{"with both keys", box(t, master(2), master(1)), "secret", "root", sealed, nil},
		{"cut", b, "secret", "root", sealed[:len(sealed)-1], seal.ErrDamaged},
		{"longer", b, "secret", "root", append(bytes.Clone(sealed), 0), seal.ErrDamaged},
		{"clear", b, "secret", "root", secret, seal.ErrNotSealed},
		{"32 clear bytes that begin like a record", b, "secret", "root", append([]byte{sealed[0]}, master(3)[1:]...), seal.ErrNotSealed},
		{"empty", b, "secret", "root", nil, seal.ErrNotSealed},
	} {
		got, err := tt.box.Open(tt.kind, tt.id, tt.record)
		if !errors.Is(err, tt.err) || (err == nil) != bytes.Equal(got, secret) {
			t.Errorf("%s: got %q, %v; want %v", tt.name, got, err, tt.err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 0x40
		if got, err := b.Open("secret", "root", changed); err == nil {
			t.Fatalf("byte %d changed: opens as %q", i, got)
		}
	}
}

func TestOtherKeyNamesBoth(t *testing.T) {
	t.Parallel()
	b, other := box(t, master(1)), box(t, master(2))
	_, err := other.Open("k", "i", b.Seal("k", "i", nil))
	if err == nil || !strings.Contains(err.Error(), b.ID().String()) || !strings.Contains(err.Error(), other.ID().String()) {
		t.Errorf("got %v", err)
	}
	both := box(t, master(2), master(1))
	if old := b.Seal("k", "i", nil); both.Current(old) || !b.Current(old) || both.ID() != other.ID() {
		t.Error("the first key is the one that seals")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	raw := append([]byte{0xfb, 0xff, 0xfe}, master(7)[3:]...) // with both characters in which the alphabets differ
	want := box(t, raw).ID()
	std, url := base64.StdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw)
	for _, text := range []string{
		std, url, std + "\n", "  " + url + " \r\n\n", strings.TrimRight(std, "="), strings.TrimRight(url, "="),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), std + "\n" + seal.Generate() + "\r\n\n" + seal.Generate(),
	} {
		if b, err := seal.Parse(text); err != nil || b.ID() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, tt := range []struct{ text, want string }{
		{"", "no master key"}, {" \n ", "no master key"},
		{"correct horse battery staple", "line 1 is no master key"},
		{std[:40], "line 1 is no master key"},
		{std[:42] + "B=", "line 1 is no master key"}, // bits that no byte has
		{std + "=", "line 1 is no master key"},
		{std + " " + std, "line 1 is no master key"},
		{std[:20] + "\r" + std[20:], "line 1 is no master key"},
		{hex.EncodeToString(raw)[:62] + "zz", "line 1 is no master key"},
		{std + "\nsecret-word", "line 2 is no master key"},
		{std + "\n" + url, "key 2 is there twice"},
		{base64.StdEncoding.EncodeToString(make([]byte, seal.Size)), "over and over"},
	} {
		if _, err := seal.Parse(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	b := box(f, master(1))
	f.Add("key", "id", b.Seal("key", "id", []byte("secret")), 0)
	f.Add("key", "id", b.Seal("key", "id", nil), 12)
	f.Add("", "", box(f, master(2)).Seal("", "", []byte{0}), 1)
	f.Add("key", "id", []byte("-----BEGIN PRIVATE KEY-----"), 3)
	f.Fuzz(func(t *testing.T, kind, id string, record []byte, at int) {
		before := bytes.Clone(record)
		secret, err := b.Open(kind, id, record)
		if !bytes.Equal(record, before) {
			t.Fatal("the record was changed")
		}
		if err == nil && len(secret) != len(record)-37 {
			t.Fatalf("%d bytes of a record of %d", len(secret), len(record))
		}
		sealed := b.Seal(kind, id, record)
		if got, err := b.Open(kind, id, sealed); err != nil || !bytes.Equal(got, record) {
			t.Fatalf("got %q, %v", got, err)
		}
		if at >= 0 && at < len(sealed) {
			sealed[at]++
			if _, err := b.Open(kind, id, sealed); err == nil {
				t.Fatalf("opens with byte %d changed", at)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(seal.Generate())
	f.Add(hex.EncodeToString(master(1)) + "\n" + seal.Generate())
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := seal.Parse(text); (b == nil) == (err == nil) {
			t.Fatalf("%v, %v", b, err)
		}
	})
}
