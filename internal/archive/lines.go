package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// maxLine bounds a line, in bytes: that of a user with some ten thousand sessions.
const maxLine = 64 << 20

// errCut says that an export has no end.
var errCut = errors.New("the export is cut: it has no end line")

// eachLine calls each for every line of an export and finished for every kind whose lines are over, in the order of the kinds. It
// returns the counts of the end line, which are what there was.
func eachLine(in io.Reader, each func(kind, *line) error, finished func(kind) error) (counts Counts, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	at, n := isHeader, 0
	for lines.Scan() {
		n++
		l, k, err := parse(lines.Bytes())
		switch {
		case err != nil:
			return counts, fmt.Errorf("line %d: %w", n, err)
		case n == 1 && k != isHeader:
			return counts, errors.New("line 1: this is no export: it begins with no header")
		case n == 1 && (l.Header.Version < 1 || l.Header.Version > version):
			return counts, fmt.Errorf("line 1: the export has version %d, and this binary knows up to %d: run a newer countersign", l.Header.Version, version)
		case n > 1 && (k == isHeader || k < at || at == isEnd):
			return counts, fmt.Errorf("line %d: it is not where such a line stands", n)
		}
		for ; at < k; at++ {
			if err := finished(at); err != nil {
				return counts, err
			}
		}
		counts.count(k)
		if k == isEnd && *l.End != counts {
			return counts, fmt.Errorf("line %d: the export is not whole: it has other counts than its end says", n)
		}
		if err := each(k, l); err != nil {
			return counts, fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return counts, fmt.Errorf("line %d: it has over %d MiB", n+1, maxLine>>20)
	case err != nil:
		return counts, err
	case at != isEnd:
		return counts, errCut
	}
	return counts, nil
}

// parse returns what a line says. Its errors quote nothing of it: there are hashes in an export.
func parse(text []byte) (*line, kind, error) {
	var l line
	if err := json.Unmarshal(text, &l, json.RejectUnknownMembers(true)); err != nil {
		return nil, 0, errors.New("this is no line of an export")
	}
	k, ok := l.kind()
	if !ok {
		return nil, 0, errors.New("this is no line of an export")
	}
	return &l, k, nil
}

// count counts a line.
func (c *Counts) count(k kind) {
	switch k {
	case isSecret:
		c.Secrets++
	case isKey:
		c.Keys++
	case isAccount:
		c.Accounts++
	case isRevocation:
		c.Revocations++
	case isCounter:
		c.Counters++
	case isEvent:
		c.Events++
	}
}
