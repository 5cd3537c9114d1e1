// Package fetch gets the small documents that a verifier of tokens trusts: an issuer's key set, its discovery document, its
// revocation feed. Whoever answers in the issuer's place could let anybody in, or hold the verifier up. So a [Source]
//
//   - asks one URL, that of https, or of http on this machine;
//   - follows no redirect, which would ask somebody else;
//   - gives up after a time, and reads so many bytes and no more;
//   - takes no packed answer, the length of which says nothing of what is in it.
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// DefaultTimeout bounds how long an answer may take, its body included.
const DefaultTimeout = 5 * time.Second

// maxETag is the longest entity tag that is sent back.
const maxETag = 128

// Config configures [New].
type Config struct {
	// Accept lists the media types that the answer may have, and is what the request asks for. None takes any answer.
	Accept []string
	// MaxBytes is the longest answer that is read. Required.
	MaxBytes int
	// Timeout bounds how long an answer may take, its body included. 0 means [DefaultTimeout].
	Timeout time.Duration
	// Client asks; its redirects are not followed. Nil means one of [NewClient].
	Client *http.Client
	// InsecureAllowHTTP takes an http URL of another host than this one: whoever is on the way can answer.
	InsecureAllowHTTP bool
}

// Source is one document at one URL. It keeps nothing between two requests, and is safe for concurrent use.
type Source struct {
	url    string
	cfg    Config
	client *http.Client
}

// Document is an answer.
type Document struct {
	// Body is the document; nil when it is NotModified.
	Body []byte
	// NotModified says that the document is the one that the entity tag of the request named.
	NotModified bool
	// ETag is the entity tag, to be sent back; empty without one.
	ETag string
	// Header is that of the answer.
	Header http.Header
}

// New returns a source at that URL, which [CheckURL] must take.
func New(url string, cfg Config) (*Source, error) {
	if err := CheckURL(url, cfg.InsecureAllowHTTP); err != nil {
		return nil, err
	}
	if cfg.MaxBytes <= 0 {
		return nil, errors.New("fetch: Config.MaxBytes must be set")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Timeout < 0 {
		return nil, errors.New("fetch: Config.Timeout must not be negative")
	}
	c := cfg.Client
	if c == nil {
		c = NewClient()
	}
	strict := *c
	strict.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Source{url: url, cfg: cfg, client: &strict}, nil
}

// NewClient returns a client for a few sources. Its CloseIdleConnections ends what it keeps open.
func NewClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}}
}

// CheckURL refuses what would send a request somewhere else than meant, or in the clear: all but https://host/path, and
// http where the host is this machine or allowHTTP says so.
func CheckURL(text string, allowHTTP bool) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("the URL is malformed")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return errors.New("the URL must be https://host/path")
	case u.Scheme == "http" && !allowHTTP && !isLoopback(u.Hostname()):
		return errors.New("the URL is http and its host another one: use https, or InsecureAllowHTTP")
	}
	return nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// unasked returns why there is no answer, without the URL, in whose query may stand a secret, and without what somebody answered
// who does not speak HTTP.
func unasked(err error) error {
	var withURL *url.Error
	if errors.As(err, &withURL) {
		err = withURL.Err
	}
	var (
		timeout     net.Error
		network     *net.OpError
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.As(err, &network), errors.As(err, &certificate), errors.As(err, &alert),
		errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, http.ErrSchemeMismatch):
		return err
	}
	return errors.New("there is no answer that could be read")
}

// Get asks once. Etag, when not empty, is that of the document that the caller has. No error repeats what was answered.
func (s *Source) Get(ctx context.Context, etag string) (Document, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return Document{}, err
	}
	if len(s.cfg.Accept) > 0 {
		req.Header.Set("Accept", strings.Join(s.cfg.Accept, ", "))
	}
	req.Header.Set("Accept-Encoding", "identity") // else a client may unpack what was packed, at any length
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return Document{}, unasked(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && etag != "":
		return Document{NotModified: true, ETag: etag, Header: res.Header}, nil
	case res.StatusCode != http.StatusOK:
		return Document{}, fmt.Errorf("the answer has the status %d", res.StatusCode)
	}
	body, err := s.body(res)
	if err != nil {
		return Document{}, err
	}
	return Document{Body: body, ETag: etagOf(res.Header), Header: res.Header}, nil
}

// body reads an answer that can be a document.
func (s *Source) body(res *http.Response) ([]byte, error) {
	if len(s.cfg.Accept) > 0 {
		media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
		if err != nil || !slices.Contains(s.cfg.Accept, media) {
			return nil, errors.New("the answer is not " + strings.Join(s.cfg.Accept, " or "))
		}
	}
	if e := res.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, errors.New("the answer is packed, which nobody asked for")
	}
	most := int64(s.cfg.MaxBytes)
	if res.ContentLength > most {
		return nil, errTooLong
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(body)) > most:
		return nil, errTooLong
	}
	return body, nil
}

var errTooLong = errors.New("the answer is longer than allowed")

// etagOf returns an entity tag that can be sent back, "" without one.
func etagOf(h http.Header) string {
	tags := h["Etag"]
	if len(tags) != 1 || len(tags[0]) > maxETag {
		return ""
	}
	return tags[0]
}
