package revocation

// Build makes a document, whatever there is, and returns its length.
func (f *Feed) Build() (int, error) {
	d, err := f.build()
	if err != nil {
		return 0, err
	}
	return len(d.body), nil
}

// Prune forgets what is over, as Run does every ten seconds.
func (s *Set) Prune() { s.prune() }

// Alive returns what a document of that size would tell.
func (s *Set) Alive(limit int) (hashes []uint64, since uint32) {
	hashes, since, _ = s.alive(limit)
	return hashes, since
}

// FeedHash and Padded are what the format is made of.
var (
	FeedHash = feedHash
	Padded   = padded
)
