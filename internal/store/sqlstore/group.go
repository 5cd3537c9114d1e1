package sqlstore

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// maxBatch bounds the writes that share a commit, and so how long other processes wait for one.
const maxBatch = 128

// errClosed answers who writes after Close.
var errClosed = errors.New("sqlstore: the store is closed")

// group makes the writes of many callers share commits: those that come while a commit runs share the next one, so that
// the slower the disk is, the more they are. It runs no goroutine while nothing waits.
//
// Durable and relaxed writes have a transaction each, by turns. A relaxed one waits at most for the one commit that is
// under way, and a durable one for no more than that either.
type group struct {
	writer writer

	mu      sync.Mutex
	closed  bool
	running bool // somebody runs the writer
	waiting [2][]*write
	all     sync.WaitGroup // the runs
}

// write is what one caller wants written: all of it or nothing.
type write struct {
	// do may be called twice, the first time in vain: what it returns through variables it sets anew each time.
	do func(*writer) error
	// single says that do writes with one statement at most, which is whole or not at all by itself.
	single bool

	state atomic.Int32
	done  chan struct{} // closed when err is set
	err   error
}

// The states of a write. It is dropped only while it waits.
const (
	waits int32 = iota
	begun
	dropped
)

// begin reports whether w is still wanted. From then on it cannot be dropped.
func (w *write) begin() bool { return w.state.CompareAndSwap(waits, begun) || w.state.Load() == begun }

// commit has do write, and returns when that is committed. When ctx ends before do has begun, nothing is written, and
// commit returns the error of ctx; when it ends later, commit returns what has come of it all the same.
func (g *group) commit(ctx context.Context, d durability, single bool, do func(*writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{do: do, single: single, done: make(chan struct{})}
	if err := g.enqueue(d, w); err != nil {
		return err
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	if w.state.CompareAndSwap(waits, dropped) {
		return ctx.Err()
	}
	<-w.done
	return w.err
}

func (g *group) enqueue(d durability, w *write) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errClosed
	}
	g.waiting[d] = append(g.waiting[d], w)
	if !g.running {
		g.running = true
		g.all.Go(g.run)
	}
	return nil
}

// run commits batch after batch, a relaxed and a durable one by turns, until nothing waits.
func (g *group) run() {
	g.writer.busySince = time.Time{} // nobody has waited yet
	for d := relaxed; ; d = 1 - d {
		// A commit waits for the disk, and holds its processor meanwhile until the runtime notices. Whoever could not run
		// because of that is let through first, or batches of one would follow each other.
		runtime.Gosched()
		batch, running := g.take(d)
		if !running {
			return
		}
		if len(batch) > 0 {
			g.writer.commit(d, batch)
		}
	}
}

// take returns the next batch of one durability, and whether the run is to go on.
func (g *group) take(d durability) (batch []*write, running bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting[d]), maxBatch)
	batch, g.waiting[d] = g.waiting[d][:n:n], g.waiting[d][n:]
	if len(g.waiting[d]) == 0 {
		g.waiting[d] = nil
	}
	g.running = n > 0 || len(g.waiting[1-d]) > 0
	return batch, g.running
}

// close waits until all that waits is written, and lets nobody else in.
func (g *group) close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.all.Wait()
	return g.writer.close()
}
