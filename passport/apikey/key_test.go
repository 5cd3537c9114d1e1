package apikey_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/passport/apikey"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^csk_[A-Z2-7]{16}_[A-Z2-7]{33}$`)
	seen := map[string]bool{}
	for range 1000 {
		k := apikey.Generate()
		text := k.Reveal()
		again, err := apikey.Parse(text)
		if err != nil || again != k || !form.MatchString(text) || text[4:20] != k.ID() {
			t.Fatalf("%q: %v", text, err)
		}
		for _, part := range []string{k.ID(), text[21:47]} {
			if seen[part] {
				t.Fatalf("%q came twice", part)
			}
			seen[part] = true
		}
		if !k.Hash().Matches(k) || k.Hash().Matches(apikey.Generate()) || (apikey.Hash{}).Matches(k) {
			t.Fatal("the hash matches another key, or not its own")
		}
	}
}

// The format does not change: keys that were given out must go on being good.
const (
	known     = "csk_ABCDEFGHIJKLMNOP_ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	knownSum  = "WIPI3LI"
	knownHash = "60402d651c489c15ff5ca203c32344fc16165ccb19770b9d935f09f0456fb9f4"
)

func TestKnownKey(t *testing.T) {
	t.Parallel()
	k, err := apikey.Parse(known + knownSum)
	if err != nil || fmt.Sprintf("%x", k.Hash()) != knownHash {
		t.Errorf("%v, the checksum is %s and the hash %x", err, apikey.Checksum(known), k.Hash())
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := apikey.Generate().Reveal()
	sum := func(text string) string { return text + apikey.Checksum(text) }
	for name, text := range map[string]string{
		"nothing": "", "prefix": "csk_", "cut": good[:len(good)-1], "long": good + "A", "space": good + " ", "space before": " " + good[:53],
		"lower case": strings.ToLower(good), "lower case, right checksum": sum("csk_" + strings.ToLower(good[4:47])),
		"another prefix": "csx_" + good[4:], "another prefix, right checksum": sum("CSK_" + good[4:47]),
		"no second underscore": sum(good[:20] + "A" + good[21:47]), "a digit that base32 lacks": sum(good[:46] + "1"),
		"padding": good[:53] + "=", "NUL": sum(good[:46] + "\x00"), "not ASCII": sum(good[:45] + "é"),
		"checksum of another": good[:47] + apikey.Generate().Reveal()[47:], "huge": strings.Repeat(good, 100_000),
	} {
		k, err := apikey.Parse(text)
		if !errors.Is(err, apikey.ErrMalformed) || k != (apikey.Key{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range len(good) { // each typing error of one character is found
		typo := []byte(good)
		if typo[i]++; typo[i] == good[i] {
			continue
		}
		if _, err := apikey.Parse(string(typo)); err == nil {
			t.Errorf("another character at %d is taken", i)
		}
	}
}

// TestLongTextCostsNothing is not parallel: what it counts are the allocations of the whole process.
func TestLongTextCostsNothing(t *testing.T) {
	long := strings.Repeat("csk_", 1<<20)
	if n := testing.AllocsPerRun(10, func() { _, _ = apikey.Parse(long) }); n != 0 {
		t.Errorf("a long text costs %v allocations", n)
	}
}

func TestKeysAreRedacted(t *testing.T) {
	t.Parallel()
	k := apikey.Generate()
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).LogAttrs(t.Context(), slog.LevelInfo, "x", slog.Any("k", k))
	slog.New(slog.NewJSONHandler(&b, nil)).LogAttrs(t.Context(), slog.LevelInfo, "x", slog.Any("k", k))
	fmt.Fprintf(&b, "%v %+v %#v %s %q", k, k, &k, k, k)
	if _, err := json.Marshal(struct{ K apikey.Key }{k}); err == nil || strings.Contains(err.Error(), k.Reveal()) {
		t.Errorf("as JSON: %v", err)
	}
	if strings.Contains(b.String(), k.Reveal()[21:]) {
		t.Errorf("leaks: %s", b.String())
	}
	if none := (apikey.Key{}); none.ID() != "" || none.Reveal() != "" {
		t.Error("the zero key is one")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(known + knownSum)
	f.Add("csk_")
	f.Add("csk_ABCDEFGHIJKLMNOP_")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := apikey.Parse(text)
		if err != nil {
			if k != (apikey.Key{}) || len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("a refused text is kept: %v", err)
			}
			// With its checksum put right, what is refused has another form.
			if len(text) == 54 {
				if k, err := apikey.Parse(text[:47] + apikey.Checksum(text[:47])); err == nil && k.Reveal()[:47] != text[:47] {
					t.Error("it was read as another text")
				}
			}
			return
		}
		if k.Reveal() != text || len(k.ID()) != 16 || !strings.HasPrefix(text, "csk_"+k.ID()+"_") {
			t.Errorf("%q was read as %q", text, k.Reveal())
		}
	})
}
