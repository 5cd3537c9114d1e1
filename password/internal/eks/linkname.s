//go:build !purego && !wasm

// This file lets Go declare functions without bodies, for linkname.
