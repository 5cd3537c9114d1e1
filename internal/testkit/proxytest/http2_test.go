//go:build unix

package proxytest_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/countersign-auth/countersign/internal/testkit/hostile"
	"github.com/countersign-auth/countersign/internal/testkit/proxytest"
)

// A field is one of HTTP/2, be it a pseudo-header.
type field struct{ name, value string }

// send2 sends the fields and the body, as they are, as a request of HTTP/2 on a connection of its own. An Answer without a
// status is a request that was thrown away.
func send2(addr string, fields []field, body string) (hostile.Answer, error) {
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: proxytest.APIHost, NextProtos: []string{http2.NextProtoTLS}})
	if err != nil {
		return hostile.Answer{}, err
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != http2.NextProtoTLS {
		return hostile.Answer{}, fmt.Errorf("the proxy speaks %q", got)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return hostile.Answer{}, err
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			return hostile.Answer{}, err
		}
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, err = io.WriteString(conn, http2.ClientPreface)
	err = errors.Join(err, framer.WriteSettings())
	first := block.Next(16 << 10) // the longest that a frame may be
	err = errors.Join(err, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: body == "", EndHeaders: block.Len() == 0}))
	for block.Len() > 0 {
		next := block.Next(16 << 10)
		err = errors.Join(err, framer.WriteContinuation(1, block.Len() == 0, next))
	}
	if body != "" {
		err = errors.Join(err, framer.WriteData(1, true, []byte(body)))
	}
	if err != nil {
		return hostile.Answer{}, err
	}
	return answer2(framer)
}

// answer2 reads the answer to the only request.
func answer2(framer *http2.Framer) (a hostile.Answer, err error) {
	for {
		frame, err := framer.ReadFrame()
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			return a, errors.New("no answer in time")
		case err != nil:
			return hostile.Answer{}, nil // the connection has ended
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if a.Status, err = strconv.Atoi(f.PseudoValue("status")); err != nil {
				return a, err
			}
			a.Header = http.Header{}
			for _, h := range f.RegularFields() {
				a.Header.Add(h.Name, h.Value)
			}
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.DataFrame:
			a.Body += string(f.Data())
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return a, nil
		}
	}
}

// ask2 is ask by HTTP/2. What is a header of HTTP/1.1 alone is sent as well.
func ask2(t *testing.T, p *proxytest.Proxy, host, line string, headers ...string) hostile.Answer {
	t.Helper()
	method, target, _ := strings.Cut(line, " ")
	fields := []field{{":method", method}, {":scheme", "https"}, {":authority", host}, {":path", target}}
	body := ""
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if strings.HasPrefix(h, "\n") {
			body = h[1:]
		} else {
			fields = append(fields, field{strings.ToLower(name), value})
		}
	}
	a, err := send2(p.Addr, fields, body)
	if err != nil {
		t.Errorf("%s %s: %v", host, line, err)
	}
	return a
}

// forged2 sends what only HTTP/2 can say, without a credential that is good for it: no site gets it, but as the public path
// that it is.
func (s *stage) forged2(t *testing.T, p *proxytest.Proxy) {
	get := func(path string, more ...field) []field {
		return append([]field{{":method", "GET"}, {":scheme", "https"}, {":authority", proxytest.APIHost}, {":path", path}}, more...)
	}
	for name, fields := range map[string][]field{
		"another host header":            get("/login", field{"host", proxytest.AppHost}),
		"the public one's host header":   {{":method", "GET"}, {":scheme", "https"}, {":authority", proxytest.AppHost}, {":path", "/status"}, {"host", proxytest.APIHost}},
		"two authorities":                get("/login", field{":authority", proxytest.AppHost}),
		"two paths":                      get("/status", field{":path", "/orders/7"}),
		"two methods":                    get("/orders/7", field{":method", "OPTIONS"}),
		"no path":                        {{":method", "GET"}, {":scheme", "https"}, {":authority", proxytest.APIHost}},
		"an empty path":                  get(""),
		"a path without a slash":         get("orders/7"),
		"an absolute path":               get("https://" + proxytest.AppHost + "/login"),
		"a line end in the path":         get("/status HTTP/1.1\r\nHost: " + proxytest.APIHost + "\r\n\r\nGET /orders/7"),
		"a line end in the method":       {{":method", "GET /orders/7 HTTP/1.1\r\nX-A: "}, {":scheme", "https"}, {":authority", proxytest.APIHost}, {":path", "/status"}},
		"a line end in the authority":    {{":method", "GET"}, {":scheme", "https"}, {":authority", proxytest.APIHost + "\r\nX-User-Id: root"}, {":path", "/orders/7"}},
		"a line end in a value":          get("/orders/7", field{"x-a", "b\r\nX-User-Id: root"}),
		"a line end in a name":           get("/orders/7", field{"x-a: b\r\nx-user-id", "root"}),
		"a colon in a name":              get("/orders/7", field{"x-user-id: root", "b"}),
		"capital letters":                get("/orders/7", field{"X-User-Id", "root"}),
		"a space in a name":              get("/orders/7", field{"x-user-id ", "root"}),
		"an upgrade":                     get("/status", field{"connection", "upgrade, http2-settings"}, field{"upgrade", "h2c"}, field{"http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"}),
		"chunks":                         get("/status", field{"transfer-encoding", "chunked"}),
		"a tunnel":                       {{":method", "CONNECT"}, {":authority", proxytest.APIHost + ":443"}},
		"a WebSocket (RFC 8441)":         {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", proxytest.APIHost}, {":path", "/orders/7"}},
		"another scheme":                 {{":method", "GET"}, {":scheme", "https://" + proxytest.AppHost + "/login?"}, {":authority", proxytest.APIHost}, {":path", "/orders/7"}},
		"a pseudo-header of no kind":     get("/orders/7", field{":user", "root"}),
		"a pseudo-header behind another": append([]field{{"x-a", "b"}}, get("/orders/7")...),
	} {
		a, err := send2(p.Addr, fields, "")
		if err != nil || a.Status >= 500 && a.Status != http.StatusNotImplemented {
			t.Errorf("%s: %d %v", name, a.Status, err)
		}
		if got := got(a); got != nil && (got.Header.Get("X-User-Id") != "" || !(got.Site == "app" && got.Target == "/login" || got.Site == "api" && got.Target == "/status")) {
			t.Errorf("%s: the site %s gets %s %s %v", name, got.Site, got.Method, got.Target, got.Header)
		}
	}
	for _, cookies := range [][]field{ // which may come in pieces (RFC 9113, section 8.2.3)
		{{"cookie", "a=b"}, {"cookie", s.target.Cookie + "=" + s.target.Good}},
		{{"cookie", "a=b; " + s.target.Cookie + "=" + s.target.Good}, {"cookie", "c=d"}},
	} {
		a, err := send2(p.Addr, get("/orders/7", cookies...), "")
		if got := got(a); err != nil || got == nil || got.Header.Get("X-User-Id") != s.user {
			t.Errorf("a cookie in pieces: %d %s %v", a.Status, a.Body, err)
		}
	}
}
