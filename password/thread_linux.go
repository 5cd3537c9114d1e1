package password

import (
	"runtime"
	"syscall"
)

// niceness is how much lower the priority of hashing threads is. At 6, the kernel gives such a thread a fifth of a core
// that another thread wants whole (weights of 272 to 1024), so that logins go on beside any load, and all of the core as
// soon as the other pauses.
const niceness = 6

// lowerPriority binds the calling goroutine to a thread of its own, and that to a lower priority. The thread ends with
// the goroutine, since a thread without privileges cannot raise its priority again. What is returned is to be called
// between slices.
func lowerPriority() (yield func()) {
	runtime.LockOSThread()
	// The system call returns 20 less the niceness, so as not to be mistaken for an error.
	if have, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil {
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, min(19, 20-have+niceness)) // without it, all runs as before
	}
	return func() {}
}
