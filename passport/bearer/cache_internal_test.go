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
		if e, place := s.get(hash, fmt.Sprint("token", i)); e == nil || e.text != fmt.Sprint("token", i) || s.place[place].Load() != e {
			t.Errorf("token%d: %+v", i, e)
		}
	}
	for _, other := range []string{"", "token", "token4", "token00", "Token0"} {
		if e, _ := s.get(hash, other); e != nil {
			t.Errorf("%q finds %q", other, e.text)
		}
	}
}

// TestVictim has a set of eight places, full but for what each row changes.
func TestVictim(t *testing.T) {
	t.Parallel()
	const now = 100 * inSeconds
	for _, tt := range []struct {
		name    string
		change  func(*set[int])
		want    bool
		evicted uint64
	}{
		{"all in use", func(*set[int]) {}, false, 0},
		{"one came once", func(s *set[int]) { s.again.And(^uint32(1 << 3)) }, true, 1},
		{"one has expired", func(s *set[int]) { s.until[5] = now }, true, 0},
		{"one is of before the clock was set back", func(s *set[int]) { s.until[5] = now + 61*inSeconds }, true, 0},
		{"one is free", func(s *set[int]) { s.place[2].Store(nil); s.until[2] = 0 }, true, 0},
		{"somebody else writes", func(s *set[int]) { s.again.Store(0); s.mu.Lock() }, false, 0},
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
			for i := range ways {
				s.used(i)
			}
			tt.change(s)
			for i := range ways { // as the place says
				if e := s.place[i].Load(); e != nil {
					e.until = s.until[i]
				}
			}
			got := false
			for range 2000 { // it depends on chance whether what came once gives way
				got = got || table.put(0, goodEntry("new", now, now+10*inSeconds))
			}
			if got != tt.want || table.evictions.Load() != tt.evicted {
				t.Errorf("room %v, %d evicted; want %v, %d", got, table.evictions.Load(), tt.want, tt.evicted)
			}
			if e, place := s.get(0, "new"); (e != nil) != tt.want || e != nil && s.again.Load()&(1<<place) != 0 {
				t.Errorf("%+v in place %d, again %b", e, place, s.again.Load())
			}
		})
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
