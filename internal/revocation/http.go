package revocation

import (
	"log/slog"
	"net/http"

	"github.com/countersign-auth/countersign/internal/api"
)

// Path is where the feed is.
const Path = "/.well-known/countersign/revocations"

// MediaType is that of the feed (RFC 7519, section 10.3.1).
const MediaType = "application/jwt"

// Routes adds the feed.
func (f *Feed) Routes(rt *api.Router) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: Path, ID: "revocations", Tag: "Operation",
		Summary: "Sessions that have been ended, for services that verify tokens on their own",
		Description: "A signed document of type revocations+jwt. Ask with If-None-Match as often as twice a second: " +
			"the answer is 304 as long as nothing has happened. docs/revocation.md has the format.",
		OK: "", OKType: MediaType, NotModified: true,
	}, f)
}

// mayKeep lets a cache keep the document, but not answer with it unasked.
var (
	mayKeep   = []string{"no-cache"}
	mediaType = []string{MediaType}
)

// ServeHTTP implements [http.Handler].
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, err := f.current()
	if err != nil {
		api.Fail(slog.New(slog.DiscardHandler), w, r, err) // whoever found out has logged it
		return
	}
	h := w.Header()
	h["Etag"], h["Cache-Control"] = d.etag, mayKeep
	if api.Matches(r, d.etag[0]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"], h["Content-Length"] = mediaType, d.length
	if r.Method != http.MethodHead {
		_, _ = w.Write(d.body) // what fails here is the connection
	}
}
