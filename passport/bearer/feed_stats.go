package bearer

import (
	"encoding/json"
	"sync/atomic"
	"time"
)

// counters is what a Feed counts.
type counters struct {
	documents, notModified, errors          atomic.Uint64
	refused, tooOld, unavailable, unchecked atomic.Uint64
	lastError                               atomic.Pointer[string]
}

// FeedStats is what there is to know about a [Feed] for an operator. The numbers count from its beginning.
type FeedStats struct {
	// Documents and NotModified are the good answers, Errors the polls without one.
	Documents, NotModified, Errors uint64
	// LastError is why the last poll failed; empty when it did not.
	LastError string
	// Age is how long ago the last good answer came, negative when none has.
	Age time.Duration
	// Stale says that tokens cannot be judged: they are answered 503, or taken if the feed fails open.
	Stale bool
	// Entries is how many entries are known, the padding among them.
	Entries int
	// Since is when the tokens were issued that are too old to be judged, or later; zero in ordinary times.
	Since time.Time
	// Refused counts tokens of ended sessions, TooOld those that were issued too long ago to be judged, Unavailable those
	// answered 503, and Unchecked those that were taken while the feed was stale.
	Refused, TooOld, Unavailable, Unchecked uint64
}

// Stats returns the numbers of now.
func (f *Feed) Stats() FeedStats {
	v := f.view.Load()
	s := FeedStats{
		Documents: f.documents.Load(), NotModified: f.notModified.Load(), Errors: f.errors.Load(),
		Age: -1, Stale: f.stale(v), Entries: len(v.known.entries),
		Refused: f.refused.Load(), TooOld: f.tooOld.Load(), Unavailable: f.unavailable.Load(), Unchecked: f.unchecked.Load(),
	}
	if text := f.lastError.Load(); text != nil {
		s.LastError = *text
	}
	if !v.at.IsZero() {
		s.Age = max(0, f.cfg.Now().Sub(v.at))
	}
	if v.known.since > 0 {
		s.Since = time.Unix(v.known.since, 0).UTC()
	}
	return s
}

// String returns the numbers as a JSON object, so that a Feed is an expvar.Var.
func (f *Feed) String() string {
	s := f.Stats()
	var since int64
	if !s.Since.IsZero() {
		since = s.Since.Unix()
	}
	text, _ := json.Marshal(map[string]any{ // numbers, a bool and a string always marshal
		"documents": s.Documents, "not_modified": s.NotModified, "errors": s.Errors, "last_error": s.LastError,
		"age_seconds": s.Age.Seconds(), "stale": s.Stale, "entries": s.Entries, "since": since,
		"refused": s.Refused, "too_old": s.TooOld, "unavailable": s.Unavailable, "unchecked": s.Unchecked,
	})
	return string(text)
}
