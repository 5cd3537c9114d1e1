package fetch_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt/fetch"
)

// listen answers every connection with that text, and ends it.
func listen(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

// TestErrorsRepeatNothing: errors go to logs, where neither the query of a URL nor what a stranger answers has a place.
func TestErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"hunter2", "HTTP/1.1 hunter2\r\n\r\n", "HTTP/1.1 200 OK\r\nhunter2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: http://hunter2\r\n\r\n", "HTTP/1.1 500 hunter2\r\n\r\n", "",
	} {
		source, err := fetch.New("http://"+listen(t, answer)+"/keys?sig=secret", fetch.Config{MaxBytes: 1 << 10, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, err = source.Get(t.Context(), "")
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// TestErrorsSayWhy: whoever reads the log sees what is wrong with the network.
func TestErrorsSayWhy(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	source, err := fetch.New("http://"+addr, fetch.Config{MaxBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Get(t.Context(), ""); !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), addr) {
		t.Errorf("nobody listens: %v", err)
	}
	source, err = fetch.New("https://"+listen(t, "HTTP/1.1 200 OK\r\n\r\n"), fetch.Config{MaxBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Get(t.Context(), ""); err == nil || strings.Contains(err.Error(), "could be read") {
		t.Errorf("no TLS: %v", err)
	}
}
