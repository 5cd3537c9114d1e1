package withpassword

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// counted counts the reads of a file.
type counted struct {
	io.ReaderAt
	reads int
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.ReaderAt.ReadAt(p, off)
}

// maxReads is the most that a search may read: the guesses, and then one for each halving down to what one read takes.
func maxReads(size int64) int { return maxGuesses + bits.Len64(uint64(size/readSize)) + 1 }

// someHashes returns the hashes of n passwords in ascending order.
func someHashes(n int) []sha1Hash {
	hashes := make([]sha1Hash, n)
	for i := range hashes {
		hashes[i] = sha1.Sum(fmt.Appendf(nil, "password of nobody %d", i))
	}
	slices.SortFunc(hashes, func(a, b sha1Hash) int { return bytes.Compare(a[:], b[:]) })
	return hashes
}

// hashLines writes hashes as Have I Been Pwned does, with that line end.
func hashLines(hashes []sha1Hash, end string) []byte {
	var b bytes.Buffer
	counts := rand.New(rand.NewPCG(1, 2))
	for _, h := range hashes {
		fmt.Fprintf(&b, "%X:%d%s", h, 1+counts.IntN(1<<counts.IntN(24)), end)
	}
	return b.Bytes()
}

// beside returns the hash that is d away, counting in the last four bytes.
func beside(h sha1Hash, d int) sha1Hash {
	h[len(h)-1] += byte(d)
	return h
}

func TestHashFile(t *testing.T) {
	t.Parallel()
	hashes := someHashes(50_000)
	whole := hashLines(hashes, "\r\n")
	for name, content := range map[string][]byte{
		"CRLF":             whole,
		"LF":               bytes.ReplaceAll(whole, []byte("\r"), nil),
		"no end":           bytes.TrimSpace(whole),
		"empty lines last": append(whole[:len(whole):len(whole)], "\n\r\n"...),
		"lower case":       bytes.ToLower(whole),
		"one read":         hashLines(hashes[:3], "\n"),
		"one line":         hashLines(hashes[:1], ""),
	} {
		file := &counted{ReaderAt: bytes.NewReader(content)}
		f, err := newHashFile(file, int64(len(content)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		n := bytes.Count(content, []byte(":"))
		most, all, searches := 0, 0, 0
		check := func(h sha1Hash, want bool) {
			file.reads = 0
			if got, err := f.find(h); err != nil || got != want {
				t.Errorf("%s: %x: %v (%v)", name, h, got, err)
			}
			most, all, searches = max(most, file.reads), all+file.reads, searches+1
		}
		for i := 0; i < n; i += 1 + i%71 {
			check(hashes[i], true)
			check(beside(hashes[i], 1), false)
			check(beside(hashes[i], -1), false)
		}
		check(hashes[n-1], true)
		check(beside(hashes[n-1], 1), false)
		check(sha1Hash{}, false)
		check(sha1Hash(bytes.Repeat([]byte{0xff}, 20)), false)
		if bound := maxReads(int64(len(content))); most > bound || all > 5*searches {
			t.Errorf("%s: %d reads at most, %d in %d searches", name, most, all, searches)
		}
	}
}

// TestUnevenHashFile has hashes that no guess finds: the search falls back to halving.
func TestUnevenHashFile(t *testing.T) {
	t.Parallel()
	hashes := make([]sha1Hash, 30_000)
	for i := range hashes {
		hashes[i][0], hashes[i][18], hashes[i][19] = byte(i/29_000*0xf0), byte(i>>8), byte(i)
	}
	content := hashLines(hashes, "\n")
	file := &counted{ReaderAt: bytes.NewReader(content)}
	f, err := newHashFile(file, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(hashes); i += 17 {
		file.reads = 0
		if found, err := f.find(hashes[i]); !found || err != nil || file.reads > maxReads(f.size) {
			t.Fatalf("hash %d: %v (%v) after %d reads", i, found, err, file.reads)
		}
	}
}

func TestBrokenHashFiles(t *testing.T) {
	t.Parallel()
	hashes := someHashes(5000)
	whole := string(hashLines(hashes, "\n"))
	backwards := slices.Clone(hashes)
	slices.Reverse(backwards)
	cut := strings.IndexByte(whole[len(whole)/2:], '\n') + len(whole)/2
	half := []string{whole[:cut], whole[cut+1 : len(whole)-1]}
	middle := len(whole) / 15 * 7 // one of the places that are looked at
	for name, tt := range map[string]struct{ content, want string }{
		"by count":         {string(hashLines(backwards, "\n")), "ascending"},
		"halves swapped":   {half[1] + "\n" + half[0], "ascending"},
		"cut at the front": {whole[7:], "40 hex"},
		"a long line":      {whole[:middle] + strings.Repeat("0", 9000) + whole[middle:], "40 hex"},
		"zeros":            {whole[:middle] + strings.Repeat("\x00", 9000) + whole[middle:], "40 hex"},
		"words":            {whole[:200] + "\npassword\n" + whole[200:], "40 hex"},
		"no count":         {strings.Replace(whole, ":", ": ", 1), "40 hex"},
		"only line ends":   {strings.Repeat("\r\n", 100), "40 hex"},
	} {
		_, err := newHashFile(strings.NewReader(tt.content), int64(len(tt.content)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func FuzzHashFile(f *testing.F) {
	hashes := someHashes(300)
	f.Add(hashLines(hashes, "\r\n"), hashes[7][:])
	f.Add(hashLines(hashes[:2], ""), hashes[1][:])
	f.Add([]byte("\n\n\r\n:"), []byte{})
	f.Add(bytes.Repeat([]byte("0"), 10_000), []byte{0})
	f.Fuzz(func(t *testing.T, content, wanted []byte) {
		var want sha1Hash
		copy(want[:], wanted)
		file := &counted{ReaderAt: bytes.NewReader(content)}
		list, err := newHashFile(file, int64(len(content)))
		if err != nil {
			list = &hashFile{file: file, size: int64(len(content))} // what a file can become after a good start
		}
		file.reads = 0
		found, findErr := list.find(want)
		if bound := maxReads(int64(len(content))); file.reads > bound {
			t.Errorf("%d reads, more than %d", file.reads, bound)
		}
		if found && !strings.Contains(strings.ToLower(string(content)), hex.EncodeToString(want[:])) {
			t.Error("found what is not there")
		}
		if err != nil || findErr != nil {
			return
		}
		for line := range bytes.Lines(content) { // a list that fits into one read is searched from end to end
			if h, ok := parseHash(line); ok && len(content) <= readSize {
				if found, err := list.find(h); !found && err == nil {
					t.Errorf("%x is not found", h)
				}
			}
		}
	})
}

// BenchmarkHashFile searches a file on the disk. COUNTERSIGN_BENCH_LINES says how many lines it has.
func BenchmarkHashFile(b *testing.B) {
	n := 200_000
	if text := os.Getenv("COUNTERSIGN_BENCH_LINES"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
	}
	hashes := someHashes(n)
	path := filepath.Join(b.TempDir(), "hashes")
	if err := os.WriteFile(path, hashLines(hashes, "\r\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	c := &counted{ReaderAt: file}
	list, err := newHashFile(c, info.Size())
	if err != nil {
		b.Fatal(err)
	}
	c.reads = 0
	b.ReportAllocs()
	i, most := 0, 0
	for b.Loop() {
		before := c.reads
		if found, err := list.find(hashes[i*7919%n]); err != nil || !found {
			b.Fatal(found, err)
		}
		i, most = i+1, max(most, c.reads-before)
	}
	b.ReportMetric(float64(c.reads)/float64(cmp.Or(i, 1)), "reads/op")
	b.ReportMetric(float64(most), "reads-max")
	b.ReportMetric(float64(info.Size()), "bytes")
}
