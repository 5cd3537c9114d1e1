package withpassword

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "blocklist")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWordFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"LF":            "Tr0ub4dor&3\ncafe\u0301 au lait\n  spaces  \n",
		"CRLF":          "Tr0ub4dor&3\r\ncafé au lait\r\n  spaces  \r\n\r\n",
		"no end":        "  spaces  \ncafé au lait\nTr0ub4dor&3",
		"from Windows":  "\ufeffTr0ub4dor&3\r\ncafé au lait\r\n  spaces  ",
		"junk in it":    "Tr0ub4dor&3\n\n\xe9t\xe9\nnul\x00\n" + strings.Repeat("x", 2000) + "\ncafé au lait\n  spaces  \n",
		"hashes, later": "Tr0ub4dor&3\ncafé au lait\n  spaces  \n" + strings.Repeat("0", 40) + ":1\n",
	} {
		list, err := openBlocklist(write(t, content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for pw, want := range map[string]bool{
			"Tr0ub4dor&3": true, "TR0UB4DOR&3": true, "CAFÉ au lait": true, "  spaces  ": true,
			"spaces": false, "": false, "Tr0ub4dor&3\r": false, "Tr0ub4dor": false, "nul": false, strings.Repeat("x", 2000): false,
		} {
			if got, err := list.holds(pw); err != nil || got != want {
				t.Errorf("%s: %q: %v (%v)", name, pw, got, err)
			}
		}
		if err := list.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBrokenBlocklists(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("password\n")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	digits := strings.Repeat("0123456789abcdef", 3)
	large := write(t, "password\n")
	if err := os.Truncate(large, maxWordsFile+1); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, want string }{
		"missing":           {"/does/not/exist", "no such file"},
		"a folder":          {t.TempDir(), "is not a file"},
		"a device":          {os.DevNull, "is not a file"},
		"empty":             {write(t, ""), "is empty"},
		"packed":            {write(t, packed.String()), "must be unpacked"},
		"UTF-16":            {write(t, "\xff\xfep\x00\n\x00"), "text in UTF-8"},
		"one endless line":  {write(t, strings.Repeat("x", 1<<20)), "lines of text"},
		"NTLM":              {write(t, digits[:32]+":17\r\n"+digits[:32]+":17\r\n"), "NTLM"},
		"hashes, unordered": {write(t, digits[8:48]+":1\n"+digits[:40]+":1\n"), "ascending"},
		"hashes and words":  {write(t, digits[:40]+":1\npassword\n"), "40 hexadecimal"},
		"too large":         {large, "at most 1073741824 bytes"},
	} {
		if list, err := openBlocklist(tt.path); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want %q", name, list, err, tt.want)
		}
	}
	for name, tt := range map[string]struct{ content, want string }{
		"no password": {"\n\nnul\x00\n", "no password"},
		"too many":    {strings.Repeat("x\n", 11), "more than 10"},
		"a long line": {"x\n" + strings.Repeat("x", maxWordsLine+1), "a line of more than"},
	} {
		if _, err := digests(strings.NewReader(tt.content), 10); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestBlocklistThatGoesAway holds that a list which cannot be read lets no password pass.
func TestBlocklistThatGoesAway(t *testing.T) {
	t.Parallel()
	path := write(t, "one password\n")
	words, err := openBlocklist(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := words.holds("another password"); err == nil {
		t.Error("a list of words that is gone: no error")
	}
	path = write(t, string(hashLines(someHashes(5000), "\n")))
	hashes, err := openBlocklist(path)
	if err != nil {
		t.Fatal(err)
	}
	defer hashes.Close()
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := hashes.holds("another password"); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a list of hashes that was cut: %v", err)
	}
}

func FuzzDigests(f *testing.F) {
	f.Add("password\r\n\xffx\n\ufeff")
	f.Fuzz(func(t *testing.T, content string) {
		words, err := digests(strings.NewReader(content), 1000)
		if err == nil && len(words) == 0 {
			t.Error("a list of nothing")
		}
	})
}
