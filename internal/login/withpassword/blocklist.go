package withpassword

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/password"
)

// blocklist is a list of passwords to refuse.
type blocklist interface {
	// holds reports whether the list has a password, which is in NFC.
	holds(pw string) (bool, error)
	// load reads what is to be kept in memory.
	load() error
	io.Closer
}

// The bounds of a list that is kept in memory, where it takes 40 MB at most.
const (
	maxWords     = 5_000_000
	maxWordsFile = 1 << 30
	maxWordsLine = 64 << 10
)

// openBlocklist opens a list, whose form its first line tells.
func openBlocklist(path string) (blocklist, error) {
	info, err := os.Stat(path) // before it is opened, because to open a pipe is to wait for a writer
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	hashes, err := holdsHashes(file)
	if err == nil && hashes {
		var list *hashFile
		if list, err = newHashFile(file, info.Size()); err == nil {
			list.Closer = file
			return list, nil
		}
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if info.Size() > maxWordsFile {
		return nil, fmt.Errorf("a list of one password a line has at most %d bytes; a larger one must be of SHA-1 hashes in ascending order", maxWordsFile)
	}
	return &wordFile{words: sync.OnceValues(func() ([]uint64, error) { return readWords(path) })}, nil
}

// byteOrderMark is what Windows editors begin a text in UTF-8 with.
const byteOrderMark = "\ufeff"

// holdsHashes reports whether a file is a list of SHA-1 hashes. An error says that it is not a list of passwords
// either.
func holdsHashes(file io.ReaderAt) (bool, error) {
	head := make([]byte, readSize)
	n, err := file.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, withoutPath(err)
	}
	line, _, found := bytes.Cut(head[:n], []byte("\n"))
	switch {
	case n == 0:
		return false, errors.New("is empty")
	case !found && n == len(head), !utf8.Valid(line), bytes.IndexByte(line, 0) >= 0:
		return false, errors.New("is not lines of text in UTF-8; a compressed file must be unpacked")
	case isNTLM(line):
		return false, errors.New("holds NTLM hashes; the file of SHA-1 hashes is needed")
	}
	_, ok := parseHash(line)
	return ok, nil
}

// isNTLM reports whether a line is of the other file of Have I Been Pwned, which knows the passwords by hashes that are
// too short to be those of SHA-1.
func isNTLM(line []byte) bool {
	hash, _, found := bytes.Cut(line, []byte(":"))
	if !found || len(hash) != 32 {
		return false
	}
	_, ok := parseHash(append(append(hash[:32:32], "00000000"...), line[32:]...))
	return ok
}

// wordFile is a list of one password a line. It is kept as sorted digests, and refuses the letters of a password in
// whatever case.
type wordFile struct {
	words func() ([]uint64, error) // reads the file once
}

func (f *wordFile) load() error {
	_, err := f.words()
	return err
}

func (f *wordFile) holds(pw string) (bool, error) {
	words, err := f.words()
	if err != nil {
		return false, err
	}
	_, found := slices.BinarySearch(words, digest(fold(pw)))
	return found, nil
}

// Close implements io.Closer.
func (f *wordFile) Close() error { return nil }

func readWords(path string) ([]uint64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	words, err := digests(io.LimitReader(file, maxWordsFile), maxWords)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return words, nil
}

// digests returns the digests of the passwords in r, sorted: not more than most. It skips lines that are no password that could be set:
// empty ones, those over the greatest length, and those in other encodings, which old lists are full of.
func digests(r io.Reader, most int) ([]uint64, error) {
	var words []uint64
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxWordsLine)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if number == 1 {
			line = strings.TrimPrefix(line, byteOrderMark)
		}
		if line == "" || password.Check(line) != nil {
			continue
		}
		if len(words) == most {
			return nil, fmt.Errorf("holds more than %d passwords; a larger list must be of SHA-1 hashes in ascending order", most)
		}
		words = append(words, digest(fold(line)))
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("has a line of more than %d bytes", maxWordsLine)
		}
		return nil, withoutPath(err)
	}
	if len(words) == 0 {
		return nil, errors.New("holds no password")
	}
	slices.Sort(words)
	return slices.Clip(slices.Compact(words)), nil
}
