//go:build !purego && !wasm

package eks

import _ "unsafe" // for linkname

// leaveScheduler and enterScheduler stand around what runs for long: between them the goroutine is to Go's scheduler as
// one in a system call that blocks. It holds none of the processors (GOMAXPROCS) that other goroutines need, the kernel
// alone shares out the core among threads, and the garbage collector does not wait for it. A goroutine that
// holds a processor while the kernel prefers other threads to its own makes every collection, and with it every
// request, wait for milliseconds. It is what a call by cgo does, without the C.
//
// In between the rules of a system call hold: the stack must not grow, so that all code is nosplit, nothing may
// be allocated, no pointer written, and the two must be called from one and the same function.
//
// Both names are open to linkname by the runtime's promise (go.dev/issue/67401); gVisor uses them likewise. With the
// build tag purego, all is ordinary Go.

//go:linkname leaveScheduler runtime.entersyscallblock
func leaveScheduler()

//go:linkname enterScheduler runtime.exitsyscall
func enterScheduler()
