package store

import "time"

// What follows is how stores keep what their databases have no kind for. They keep it alike.

// Micros returns a time as the microseconds since 1970, and the zero time as 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the inverse of Micros, in UTC.
func FromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Behind returns a text that is greater, by its bytes, than every other that begins with prefix: with the last code point there
// is, which stands for no character.
func Behind(prefix string) string { return prefix + "\U0010ffff" }
