package bearer

import (
	"fmt"
	"testing"
	"time"
)

const inSeconds = int64(time.Second)

func goodEntry(text string, from, until int64) *entry[int] {
	return &entry[int]{text: text, from: from, until: until}
}

// TestSetComparesTheWholeToken: that two tokens have one hash makes them one for nobody.
func TestSetComparesTheWholeToken(t *testing.T) {
	t.Parallel()
	table := newTable[int](8, 1<<20, time.Minute)
	const hash = 0x1234567812345678
	for i := range 4 {
		if !table.put(hash, goodEntry(fmt.Sprint("token", i), 1, inSeconds)) {
			t.Fatal("no room")
		}
	}
	s := table.setOf(hash)
	for i := range 4 {
		if e, place := s.at(hash, fmt.Sprint("token", i)); e == nil || e.text != fmt.Sprint("token", i) || s.place[place].Load() != e {
			t.Errorf("token%d: %+v", i, e)
		}
	}
	for _, other := range []string{"", "token", "token4", "token00", "Token0"} {
		if e := s.get(hash, other); e != nil {
			t.Errorf("%q finds %q", other, e.text)
		}
	}
}

// TestFree has a set of eight places, all in use but for what each row changes.
func TestFree(t *testing.T) {
	t.Parallel()
	const now = 100 * inSeconds
	for _, tt := range []struct {
		name    string
		change  func(*set[int])
		want    bool
		entries int64
	}{
		{"all in use", func(*set[int]) {}, false, 8},
		{"one has expired", func(s *set[int]) { s.until[5] = now }, true, 8},
		{"one is of before the clock was set back", func(s *set[int]) { s.until[5] = now + 61*inSeconds }, true, 8},
		{"one is free", func(s *set[int]) { s.place[2].Store(nil); s.until[2] = 0 }, true, 9}, // which the count does not know
		{"somebody else writes", func(s *set[int]) { s.until[5] = now; s.mu.Lock() }, false, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := newTable[int](8, 1<<20, time.Minute)
			s := table.setOf(0)
			for i := range ways {
				if !table.put(0, goodEntry(fmt.Sprint(i), now, now+10*inSeconds)) {
					t.Fatal("no room")
				}
			}
			tt.change(s)
			if got := table.put(0, goodEntry("new", now, now+10*inSeconds)); got != tt.want || table.entries.Load() != tt.entries {
				t.Errorf("room %v, %d entries; want %v, %d", got, table.entries.Load(), tt.want, tt.entries)
			}
			if e := s.get(0, "new"); (e != nil) != tt.want {
				t.Errorf("%+v", e)
			}
			if e, place := s.at(0, "3"); e == nil || place != 4 { // places are taken from the last
				t.Errorf("an entry that is good is gone: %+v in %d", e, place)
			}
		})
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	table := newTable[int](64, 1<<20, time.Minute)
	for i := range 64 {
		until := 10 * inSeconds
		if i%2 == 0 {
			until = 5 * inSeconds
		}
		table.put(uint64(i), goodEntry("x", 1, until))
	}
	for range 8 {
		table.sweep(7 * inSeconds)
	}
	if n, bytes := table.entries.Load(), table.bytes.Load(); n != 4 || bytes != n*sizeOf(1) { // eight tokens of one text in a set are one
		t.Errorf("%d entries, %d bytes", n, bytes)
	}
}

func TestDoorkeeper(t *testing.T) {
	t.Parallel()
	d := newDoorkeeper(8)
	const a, b = 0x1234567800000001, 0x8765432100000001 // of one place
	d.note(a)
	if !d.knows(a) || d.knows(b) {
		t.Error("the first is not known, or the second is")
	}
	d.note(b)
	if d.knows(a) || !d.knows(b) || len(d) != 32 {
		t.Error("the second has not taken the place")
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	q := newQuotas(16, 3)
	for i, tt := range []struct {
		subject uint64
		window  int64
		want    bool
	}{
		{1, 7, true}, {1, 7, true}, {1, 7, true}, {1, 7, false}, {2, 7, true}, {1, 8, true}, {1, 8, true}, {1, 8, true}, {1, 8, false},
		{1, 7, true}, // the clock was set back
		{1, -1, true}, {1 + 16, -1, true}, {1, -1, true}, {1, -1, false},
	} {
		if got := q.take(tt.subject, tt.window); got != tt.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	if none := newQuotas(16, -1); !none.take(1, 1) || newQuotas(8, 1<<20).most != 1<<16-1 {
		t.Error("no bound is one")
	}
}
