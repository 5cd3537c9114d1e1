package transfer

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

// TestLineEnds compares them with counting, wherever one looks and forgets.
func TestLineEnds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		text := make([]byte, random.IntN(700))
		for i := range text {
			if text[i] = 'x'; random.IntN(1+random.IntN(40)) == 0 {
				text[i] = '\n'
			}
		}
		var ends lineEnds
		read, passed, dropped := 0, 0, 0
		for read < len(text) {
			for end := min(len(text), read+random.IntN(200)); read < end; read++ {
				if text[read] == '\n' {
					ends.add(int64(read))
				}
			}
			at := passed + random.IntN(read-passed+1)
			if got, want := dropped+ends.before(int64(at)), bytes.Count(text[:at], []byte("\n")); got != want {
				t.Fatalf("%d line ends before %d, want %d", got, at, want)
			}
			passed += random.IntN(read - passed + 1)
			dropped += ends.drop(int64(passed))
		}
	}
}

func readSystem(t *testing.T, system string, dump io.Reader) (in *input, n int, err error) {
	t.Helper()
	in = newInput(dump)
	for _, s := range Systems() {
		if s.Name == system {
			err = s.read(t.Context(), Dump{Reader: dump}, in, Options{}, func(Record) error { n++; return nil })
		}
	}
	return in, n, err
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	for system, dump := range map[string]string{
		"csv":        "\"id\",\"email\",\"hash\"\n1,mike@example.com,x\n",
		"jsonl":      `{"id":"1","email":"mike@example.com"}`,
		"htpasswd":   "mike@example.com:x\n",
		"pocketbase": `[{"id":"1","password":"x"}]`,
	} {
		if _, n, err := readSystem(t, system, strings.NewReader(byteOrderMark+dump)); err != nil || n != 1 {
			t.Errorf("%s: %d records, %v", system, n, err)
		}
	}
}

// repeat is a text that comes n times.
func repeat(n int, text func(i int) string) io.Reader {
	r, w := io.Pipe()
	go func() {
		for i := range n {
			if _, err := io.WriteString(w, text(i)); err != nil {
				return
			}
		}
		_ = w.Close()
	}()
	return r
}

// TestHostileDumpsTakeLittle reads dumps that are large by what is no record.
func TestHostileDumpsTakeLittle(t *testing.T) { // alone, for it measures
	const most = 150 << 20
	for name, dump := range map[string]io.Reader{
		"line ends": io.MultiReader(strings.NewReader(`{"clients":[`), repeat(15<<10, func(int) string { return strings.Repeat("\n", 1<<10) })),
		"names":     io.MultiReader(strings.NewReader(`{`), repeat(3_000_000, func(i int) string { return fmt.Sprintf(`"n%d":0,`, i) })),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		if _, _, err := readSystem(t, "keycloak", dump); err == nil {
			t.Errorf("%s: no error", name)
		}
		runtime.ReadMemStats(&after)
		if grown := int64(after.Sys) - int64(before.Sys); grown > most {
			t.Errorf("%s: %d MiB", name, grown>>20)
		}
	}
}
