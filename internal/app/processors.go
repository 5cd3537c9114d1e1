package app

import (
	"os"
	"runtime"
)

// lendProcessors returns a function for [password.PoolConfig.Busy] that gives each hashing thread one of Go's processors
// (GOMAXPROCS) beyond those that the process has, for as long as it hashes. Otherwise the hashes would hold the processors
// that requests need, and Go's scheduler would share them out in slices of 10 ms; so there is always one for requests, and
// the kernel decides by the priorities of the threads. All the time, one more than there are cores makes every request
// slower, so the number goes back when the last hash is done.
//
// It is for the one place in a process that owns this number.
func lendProcessors() (busy func(threads int)) {
	_, fixed := os.LookupEnv("GOMAXPROCS")
	own := 0 // what the process has without; 0 while nothing is lent
	return func(threads int) {
		switch {
		case threads > 0 && own == 0:
			own = runtime.GOMAXPROCS(0)
			fallthrough
		case threads > 0:
			runtime.GOMAXPROCS(own + threads)
		case fixed:
			runtime.GOMAXPROCS(own)
			own = 0
		default:
			runtime.SetDefaultGOMAXPROCS() // which goes on to follow the limits of the process's cgroup
			own = 0
		}
	}
}
