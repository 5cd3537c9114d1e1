package hostile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long an answer may take at the worst, on a machine that does much else.
const patience = 30 * time.Second

// Answer is what came back. Status is 0 when the connection ended without an answer.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Send sends bytes over a connection of its own to that address and reads one answer. An error is an answer that did
// not come in time, or was none.
func Send(addr, raw string) (Answer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return Answer{}, err
	}
	_, sent := io.WriteString(conn, raw) // who has seen enough may answer before all of it is sent
	method, _, _ := strings.Cut(raw, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return Answer{}, fmt.Errorf("no answer within %v", patience)
		}
		if sent != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "reset") {
			return Answer{}, nil
		}
		return Answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil && sent == nil {
		return Answer{}, err
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}, nil
}

// accepts fails the test unless the good token is let through wherever it may stand.
func (target Target) accepts(t *testing.T) {
	t.Helper()
	raw := map[string]string{"header": target.request("GET", target.Path, bearer(target.Good))}
	if target.Query != "" {
		raw["query"] = target.request("GET", target.inQuery(target.Good))
	}
	if target.Cookie != "" {
		raw["cookie"] = target.request("GET", target.Path, "Cookie: "+target.Cookie+"="+target.Good)
	}
	for place, r := range raw {
		a, err := Send(target.Addr, r)
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("the good token in the %s: %d %v %s", place, a.Status, err, a.Body)
		}
		if place != "query" || target.Plain {
			continue
		}
		// RFC 6750, section 2.3; and the URL must not go on to other sites.
		if cache := a.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") && !strings.Contains(cache, "private") || a.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("the answer to a token in the query: %v", a.Header)
		}
	}
}

// fault sends one request and returns what is wrong with the answer; "" when it is as it should be.
func (target Target) fault(r Request) string {
	a, err := Send(target.Addr, r.Raw)
	switch {
	case err != nil:
		return err.Error()
	case a.Status == 0 && r.Cut:
		return ""
	case a.Status == 0:
		return "no answer"
	case r.Want != nil && !slices.Contains(r.Want, a.Status), a.Status < 400, a.Status > 499:
		return fmt.Sprintf("%d, want %v: %.300s", a.Status, r.Want, a.Body)
	}
	challenge := strings.Join(a.Header.Values("WWW-Authenticate"), ", ")
	hasError := strings.Contains(challenge, "error=")
	// net/http itself answers a malformed request, and one that is too large, before any handler sees it.
	own := a.Status == http.StatusBadRequest || a.Status == http.StatusRequestHeaderFieldsTooLarge
	media := a.Header.Get("Content-Type")
	switch {
	case a.Status == http.StatusUnauthorized && !strings.Contains(challenge, "Bearer"):
		return fmt.Sprintf("401 with the challenge %q", challenge)
	case a.Status == http.StatusUnauthorized && r.Token != "" && !hasError:
		return fmt.Sprintf("a token was sent, and the challenge has no error code: %q", challenge)
	case r.None && hasError:
		return fmt.Sprintf("no token was sent, and the challenge has an error code: %q", challenge)
	case len(r.Token) > 20 && strings.Contains(a.Body+fmt.Sprint(a.Header), r.Token):
		return "the answer repeats the token: " + a.Body
	case !target.Plain && media != "application/problem+json" && !(own && strings.HasPrefix(media, "text/plain")):
		return fmt.Sprintf("%d of type %q", a.Status, media)
	}
	return ""
}

// listen returns the port of a listener to which nobody may connect until the test ends.
func listen(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
			t.Error("80: somebody connected to where a token said that its key is")
		}
	}()
	t.Cleanup(func() {
		time.Sleep(50 * time.Millisecond) // for whoever asks behind the answer's back
		l.Close()
		<-done
	})
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
