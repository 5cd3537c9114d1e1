//go:build purego

package eks

// Outside says that [Batch.Run] holds none of Go's processors. Without linkname it does, and cannot be preempted: others
// wait until it returns.
const Outside = false

func leaveScheduler() {}
func enterScheduler() {}
