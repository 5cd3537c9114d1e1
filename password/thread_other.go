//go:build !linux

package password

import "runtime"

// lowerPriority is for systems on which the threads of a process have no priorities of their own. What is returned is
// to be called between slices: it lets other goroutines run.
func lowerPriority() (yield func()) { return runtime.Gosched }
