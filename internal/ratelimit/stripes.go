package ratelimit

import (
	"context"
	"hash/maphash"
	"slices"
)

// stripes are locks for any number of keys. Two keys may share one.
type stripes struct {
	seed  maphash.Seed
	locks [1024]chan struct{}
}

func newStripes() *stripes {
	s := &stripes{seed: maphash.MakeSeed()}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s
}

// lock takes the locks of all the keys, or none when ctx ends first. They are taken in one order by everybody, so that
// no two callers wait for each other.
func (s *stripes) lock(ctx context.Context, keys []string) (unlock func(), err error) {
	order := make([]int, 0, len(keys))
	for _, key := range keys {
		order = append(order, int(maphash.String(s.seed, key)%uint64(len(s.locks))))
	}
	slices.Sort(order)
	order = slices.Compact(order)
	release := func(taken []int) {
		for _, i := range taken {
			<-s.locks[i]
		}
	}
	for n, i := range order {
		select {
		case s.locks[i] <- struct{}{}:
		case <-ctx.Done():
			release(order[:n])
			return nil, ctx.Err()
		}
	}
	return func() { release(order) }, nil
}
