//go:build purego || wasm

package eks

// Without linkname, [Batch.Run] holds one of Go's processors and cannot be preempted: others wait until it returns.

func leaveScheduler() {}
func enterScheduler() {}
