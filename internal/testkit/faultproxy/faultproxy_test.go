package faultproxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit/faultproxy"
)

// echo is a server that answers each line with itself, and counts the lines.
type echo struct {
	addr  string
	lines atomic.Int64
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	e := &echo{addr: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for in := bufio.NewScanner(conn); in.Scan(); {
					e.lines.Add(1)
					if _, err := conn.Write(append(in.Bytes(), '\n')); err != nil {
						return
					}
				}
			}()
		}
	}()
	return e
}

// say sends a line and returns the answer.
func say(conn net.Conn, line string, patience time.Duration) (string, error) {
	if _, err := conn.Write([]byte(line + "\n")); err != nil {
		return "", err
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	buffer := make([]byte, 100)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const (
	soon = 10 * time.Second       // for what is to come
	nope = 50 * time.Millisecond  // for what is not
	late = 150 * time.Millisecond // of a delay
)

func wantAnswer(t *testing.T, conn net.Conn) {
	t.Helper()
	if got, err := say(conn, "hello", soon); got != "hello\n" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// wantRefusal expects that nobody is let in, whether that is noticed while connecting or after it.
func wantRefusal(t *testing.T, p *faultproxy.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if got, err := say(conn, "hello", soon); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(t *testing.T, p *faultproxy.Proxy, conn net.Conn){
		"cut": func(t *testing.T, p *faultproxy.Proxy, conn net.Conn) {
			p.Cut()
			if got, err := say(conn, "hello", soon); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v", got, err)
			}
		},
		"refuse": func(t *testing.T, p *faultproxy.Proxy, _ net.Conn) {
			p.Refuse()
			wantRefusal(t, p)
		},
		"delay": func(t *testing.T, p *faultproxy.Proxy, conn net.Conn) {
			p.Delay(late)
			begun := time.Now()
			wantAnswer(t, conn)
			if took := time.Since(begun); took < late {
				t.Errorf("it took %v", took)
			}
		},
		"hold": func(t *testing.T, p *faultproxy.Proxy, conn net.Conn) {
			p.Hold()
			if got, err := say(conn, "held", nope); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v", got, err)
			}
			p.Heal()
			_ = conn.SetReadDeadline(time.Now().Add(soon))
			buffer := make([]byte, 100)
			if n, err := conn.Read(buffer); string(buffer[:n]) != "held\n" || err != nil {
				t.Errorf("got %q, %v", buffer[:n], err)
			}
			wantAnswer(t, conn)
		},
		"drop": func(t *testing.T, p *faultproxy.Proxy, conn net.Conn) {
			p.Drop()
			p.Heal()
			if got, err := say(conn, "dropped", nope); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %q, %v", got, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := faultproxy.Start(t, startEcho(t).addr)
			conn := dial(t, p)
			wantAnswer(t, conn)
			meet(t, p, conn)
			p.Heal()
			wantAnswer(t, dial(t, p))
		})
	}
}

// What was sent has been done, and the one who sent it is not told.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	server := startEcho(t)
	p := faultproxy.Start(t, server.addr)
	p.Lose(func(request []byte) bool { return bytes.Contains(request, []byte("commit")) })
	conn := dial(t, p)
	wantAnswer(t, conn)
	if got, err := say(conn, "commit", soon); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v", got, err)
	}
	if n := server.lines.Load(); n != 2 {
		t.Errorf("the server has read %d lines", n)
	}
	wantAnswer(t, dial(t, p))
}

func TestServerIsAway(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	wantRefusal(t, faultproxy.Start(t, listener.Addr().String()))
}
