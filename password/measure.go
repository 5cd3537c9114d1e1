package password

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/password/internal/eks"
)

// A Measurement is how fast a machine computes bcrypt. [Measure] makes it.
type Measurement struct {
	// Threads is how many threads were at work for PerSecond: GOMAXPROCS.
	Threads int
	// Alone is how long a hash of cost 10 takes when there is one at a time.
	Alone time.Duration
	// PerSecond is how many hashes of cost 10 the machine completes in a second when there is enough to do.
	PerSecond float64
}

// Measure measures for about the time given, at the priority of an ordinary thread. What else the machine does
// meanwhile is in the result. The error is that of ctx if it ended.
func Measure(ctx context.Context, d time.Duration) (Measurement, error) {
	m := Measurement{Threads: runtime.GOMAXPROCS(0)}
	m.Alone = roundTime(ctx, 1, d/2) << DefaultBcryptCost
	each := make([]time.Duration, m.Threads)
	var wg sync.WaitGroup
	for i := range each {
		wg.Go(func() { each[i] = roundTime(ctx, eks.Width, d/2) })
	}
	wg.Wait()
	for _, round := range each {
		m.PerSecond += eks.Width / (round << DefaultBcryptCost).Seconds()
	}
	return m, ctx.Err()
}

// roundTime returns the median time of a round with that many lanes at work.
func roundTime(ctx context.Context, lanes int, d time.Duration) time.Duration {
	var batch eks.Batch
	for range lanes {
		batch.Add(eks.NewHash(&[eks.KeyBytes]byte{}, &[eks.SaltBytes]byte{}, 31))
	}
	var took []time.Duration
	for end := time.Now().Add(d); len(took) == 0 || time.Now().Before(end) && ctx.Err() == nil; {
		begun := time.Now()
		batch.Run(sliceRounds)
		took = append(took, time.Since(begun)/sliceRounds)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// At returns what the measurement comes to at another cost, each step of which doubles the work.
func (m Measurement) At(cost int) Measurement {
	for ; cost > DefaultBcryptCost; cost-- {
		m.Alone, m.PerSecond = 2*m.Alone, m.PerSecond/2
	}
	for ; cost < DefaultBcryptCost; cost++ {
		m.Alone, m.PerSecond = m.Alone/2, 2*m.PerSecond
	}
	return m
}

// Cost returns the greatest cost at which a hash alone takes at most the latency and the machine completes at least so many
// a second; false if not even [MinBcryptCost] does.
func (m Measurement) Cost(latency time.Duration, perSecond float64) (cost int, ok bool) {
	for cost = MaxBcryptCost; cost >= MinBcryptCost; cost-- {
		if at := m.At(cost); at.Alone <= latency && at.PerSecond >= perSecond {
			return cost, true
		}
	}
	return 0, false
}
