package bearer

import "context"

// Take reads a document as if the server had sent it.
func (f *Feed) Take(body string) error {
	return f.take(context.Background(), f.view.Load(), body, "")
}

// Entries returns what is known, sorted.
func (f *Feed) Entries() []uint64 { return f.view.Load().known.entries }

// Has reports whether an entry, not 0, is known.
func (f *Feed) Has(entry uint64) bool { return f.view.Load().known.has(entry) }

// ReadDiscovery returns where a discovery document says that the keys and the feed are.
func ReadDiscovery(body []byte, cfg Config) (keys, feed string, err error) {
	var p place
	err = p.read(body, cfg)
	return p.keys, p.feed, err
}
