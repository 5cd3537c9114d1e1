package apikey

// Checksum is for tests that make keys of their own.
func Checksum(text string) string { return checksum(text) }
