package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// What well means after a flood.
const (
	calmReads     = 1000 // before it, for comparison
	wellReads     = 100
	healthTimeout = 100 * time.Millisecond
	// A server that is not well after this is said not to be.
	wellPatience = time.Minute
	// Reads as slow as this are never held to be a consequence of the flood:
	// the calm p99 of a lone reader is a fraction of a millisecond, and the
	// generator, which is busy with its results, stands on the reader's core.
	wellEnough = 5 * time.Millisecond
)

// readP99 reads n times, one after the other on one connection.
func readP99(ctx context.Context, i *instance, r request, n int) (time.Duration, error) {
	wire, err := r.wire(i.addr())
	if err != nil {
		return 0, err
	}
	c, err := dialRaw(ctx, i.addr(), time.Second)
	if err != nil {
		return 0, err
	}
	defer c.conn.Close()
	took := make([]time.Duration, n)
	for k := range took {
		begin := time.Now()
		if err := c.exchange(wire, []byte(profileLoad.want)); err != nil {
			return 0, fmt.Errorf("%s: read %d: %w", i.label, k+1, err)
		}
		took[k] = time.Since(begin)
	}
	slices.Sort(took)
	return percentile(took, 99), nil
}

// untilHealthy is how long it takes until the server answers its health check
// on a new connection in time and reads are as quick as they were. It is never
// when wellPatience is over.
func (i *instance) untilHealthy(ctx context.Context, r request, calm time.Duration) (time.Duration, error) {
	begin := time.Now()
	for time.Since(begin) < wellPatience {
		if i.answersHealth(ctx) {
			p99, err := readP99(ctx, i, r, wellReads)
			if err == nil && p99 <= max(2*calm, wellEnough) {
				return time.Since(begin), nil
			}
		}
		select {
		case <-i.done:
			return 0, i.ended()
		default:
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return never, nil
}

const never time.Duration = 1<<63 - 1

func (i *instance) answersHealth(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	status, err := i.status(ctx) // on a connection of its own, as all of client's
	return err == nil && status == http.StatusOK
}

// watchMemory samples VmRSS until ctx ends, and then gives the largest in MiB.
func (i *instance) watchMemory(ctx context.Context) <-chan float64 {
	largest := make(chan float64, 1)
	go func() {
		var most float64
		for pause(ctx, 100*time.Millisecond) == nil {
			if now, err := i.memory("VmRSS"); err == nil {
				most = max(most, now)
			}
		}
		largest <- most
	}()
	return largest
}
