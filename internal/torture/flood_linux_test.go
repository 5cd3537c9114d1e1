package torture

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server that is told to stop answers what it is doing, and does nothing new.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	const clients, before = 200, 10
	d := openSQLite(t)
	s := start(t, d.environment("COUNTERSIGN_PASSWORD_BCRYPT_COST=8"))
	type signUp struct {
		*user
		status int
		err    error
	}
	answers := make(chan signUp, clients)
	for i := range clients {
		u := &user{email: fmt.Sprintf("stop-%d@example.com", i), addr: fmt.Sprintf("10.0.1.%d", i)}
		conn := s.dial(t)
		go func() {
			status, err := signUpOn(conn, u)
			answers <- signUp{u, status, err}
		}()
	}
	all := make([]signUp, 0, clients)
	for len(all) < before { // the others wait for their hash
		all = append(all, <-answers)
	}
	told := time.Now()
	err := s.stop()
	took := time.Since(told)
	if err != nil || took > 10*time.Second {
		t.Errorf("the server ended after %v: %v\n%s", took, err, s.log)
	}
	var done []*user
	unanswered := map[string]bool{}
	for len(all) < clients {
		all = append(all, <-answers)
	}
	for _, a := range all {
		switch {
		case a.err != nil: // it came too late
			unanswered[a.email] = true
		case a.status == http.StatusOK:
			done = append(done, a.user)
		case a.status != http.StatusServiceUnavailable: // too many at once
			t.Errorf("a sign-up is answered %d", a.status)
		}
	}
	t.Logf("the server ended after %v; %d of %d are signed up, %d of them since it was told to stop; %d came too late",
		took.Round(time.Millisecond), len(done), clients, len(done)-before, len(unanswered))
	if len(done) < clients/2 {
		t.Error("what was under way is not answered")
	}
	for email := range d.wantWhole(t, done) {
		if unanswered[email] {
			t.Errorf("%s is signed up, and was not told", email)
		}
	}
}

// signUpOn signs a user up on that connection.
func signUpOn(conn net.Conn, u *user) (status int, err error) {
	form := url.Values{"email": {u.email}, "password": {password}}.Encode()
	_, err = fmt.Fprintf(conn, "POST /signup HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", u.addr, len(form), form)
	if err != nil {
		return 0, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(hangs))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// A second signal ends a server at once that waits for somebody slow.
func TestStopTwice(t *testing.T) {
	t.Parallel()
	s := start(t, openSQLite(t).environment())
	conn := s.dial(t)
	if _, err := io.WriteString(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	s.wantAccepted(t, 1)
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	for begun := time.Now(); ; { // until it has heard
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		_ = conn.Close()
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it takes new connections")
		}
	}
	select {
	case <-s.over:
		t.Fatal("it does not wait for a request that is under way")
	case <-time.After(300 * time.Millisecond):
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.over:
		if s.err == nil {
			t.Error("it says that all is well")
		}
	case <-time.After(2 * time.Second):
		t.Error("it goes on")
	}
}

// dial opens a connection.
func (s *server) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Clients who send a byte now and then are cut off, and meanwhile nobody else notices.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	clients := rounds(400, 2000)
	s := start(t, openSQLite(t).environment())
	x := newSite(t, s.url)
	u := &user{email: "mike@example.com", addr: "10.0.0.1"}
	if !x.signUp(u) || !x.logIn(u) {
		t.FailNow()
	}
	var all sync.WaitGroup
	for i := range clients {
		opening, limit := "POST /login HTTP/1.1\r\nHost: x\r\nX-Slow: ", 5*time.Second
		if i%2 == 1 {
			opening, limit = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n", 15*time.Second
		}
		conn := s.dial(t)
		all.Go(func() {
			begun := time.Now()
			if _, err := io.WriteString(conn, opening); err != nil {
				t.Error(err)
				return
			}
			go func() {
				for { // until it is cut off
					if _, err := io.WriteString(conn, " "); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
			_ = conn.SetReadDeadline(begun.Add(30 * time.Second))
			_, _ = io.Copy(io.Discard, conn)
			if took := time.Since(begun); took > limit+3*time.Second {
				t.Errorf("a slow client is cut off after %v, not %v", took, limit)
			}
		})
	}
	probe := x.probe(u.access)
	if !x.logIn(u) {
		t.FailNow()
	}
	all.Wait()
	if median := probe.stop(t); median > 50*time.Millisecond {
		t.Errorf("others wait for %v", median)
	}
}

// A server that has no room for more connections serves those it has, and takes new ones when there is room.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	const limit, clients = 256, 400
	d := openSQLite(t)
	s := start(t, d.environment(), "sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, limit), "sh")
	x := newSite(t, s.url)
	u := &user{email: "mike@example.com", addr: "10.0.0.1"}
	if !x.signUp(u) || !x.logIn(u) {
		t.FailNow()
	}
	crowd := x.gather("files", 4)
	probe := x.probe(u.access)
	time.Sleep(100 * time.Millisecond) // for each to have its connection
	var flood []net.Conn
	for range clients {
		flood = append(flood, s.dial(t)) // those beyond the limit wait in the system's queue
	}
	s.wantAccepted(t, limit/2)
	time.Sleep(time.Second) // under load, without room
	for _, conn := range flood {
		_ = conn.Close()
	}
	room := time.Now()
	another := &user{email: "jane@example.com", addr: "10.0.0.2"}
	x.client.CloseIdleConnections()
	if !x.signUp(another) || !x.logIn(another) {
		t.FailNow()
	}
	if waited := time.Since(room); waited > 5*time.Second {
		t.Errorf("with room again, a client waits for %v", waited)
	}
	users := append(crowd.stop(), u, another)
	probe.stop(t)
	if late := x.met(room.Add(5 * time.Second)); len(late) > 0 {
		t.Errorf("5 seconds after there was room again: %v", late)
	}
	x.wantAll(users)
	if lines := strings.Count(s.log.String(), "too many open files"); lines == 0 || lines > 500 {
		t.Errorf("%d lines of log say that there is no room", lines)
	}
	t.Logf("%d users, and met %v", len(users), x.met(time.Time{}))
	if err := s.stop(); err != nil {
		t.Error(err, s.log)
	}
	d.wantWhole(t, users)
}
