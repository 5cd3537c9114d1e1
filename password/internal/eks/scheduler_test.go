//go:build !purego && !wasm

package eks

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// While hashes are computed on every processor, the collector and other goroutines go on.
func TestOutsideTheScheduler(t *testing.T) {
	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var b Batch
			key, salt := keyOf([]byte("long")), [SaltBytes]byte{1}
			b.Add(NewHash(&key, &salt, 31))
			for !stop.Load() {
				b.Run(1 << 12) // a third of a second, in which nothing could preempt it
			}
		})
	}
	for range 20 {
		runtime.GC()
		runtime.Gosched()
	}
	stop.Store(true)
	wg.Wait()
}
