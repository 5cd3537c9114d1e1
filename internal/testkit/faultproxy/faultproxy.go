// Package faultproxy stands between a client and a server, and does to their connections what networks and failing
// machines do: it cuts, refuses, delays, holds and drops, and it loses the answer to what has been done.
package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes TCP connections on to a server. It is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	faults faults
	links  map[*link]struct{}
	healed chan struct{} // closed when held connections go on; nil while none are held
}

// faults are what befalls connections now.
type faults struct {
	refuse, drop, held bool
	delay              time.Duration
	lose               func(request []byte) bool
}

// Start makes a proxy for the server at that address, host and port, until the test ends.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: listener, links: map[*link]struct{}{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.Heal()
		p.Cut()
		p.running.Wait()
	})
	return p
}

// Addr returns where clients reach the server through the proxy, host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Connections returns how many are open.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Cut resets all connections. New ones are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Refuse resets all connections, and each new one at once.
func (p *Proxy) Refuse() {
	p.set(func(f *faults) { f.refuse = true })
	p.Cut()
}

// Delay lets each answer of the server through that much later.
func (p *Proxy) Delay(d time.Duration) { p.set(func(f *faults) { f.delay = d }) }

// Hold lets nothing through, and loses nothing: all of it goes on when the proxy heals.
func (p *Proxy) Hold() { p.set(func(f *faults) { f.held = true }) }

// Drop swallows all that is sent either way, and says nothing. The connections of that time stay as they are even when the
// proxy heals, as those do that a firewall has forgotten.
func (p *Proxy) Drop() {
	p.set(func(f *faults) { f.drop = true })
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.silent.Store(true)
	}
}

// Lose passes what a client sends on to the server and, if match says so of it, cuts the connection when the answer comes: the
// server has done what the client does not know of. Match is called with what arrived at once, by one goroutine at a time.
func (p *Proxy) Lose(match func(request []byte) bool) { p.set(func(f *faults) { f.lose = match }) }

// Heal ends all faults.
func (p *Proxy) Heal() { p.set(func(f *faults) { *f = faults{} }) }

func (p *Proxy) set(change func(*faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.faults)
	switch {
	case p.faults.held && p.healed == nil:
		p.healed = make(chan struct{})
	case !p.faults.held && p.healed != nil:
		close(p.healed)
		p.healed = nil
	}
}

// now returns the faults of now, and what ends the hold.
func (p *Proxy) now() (faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults, p.healed
}

// loses reports whether the answer to that request is to be lost.
func (p *Proxy) loses(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.lose != nil && p.faults.lose(request)
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	f, _ := p.now()
	if f.refuse {
		reset(client)
		return
	}
	conn, err := net.Dial("tcp", p.target)
	if err != nil { // as the server would say it
		reset(client)
		return
	}
	l := &link{proxy: p, client: client, server: conn.(*net.TCPConn), over: make(chan struct{})}
	l.silent.Store(f.drop)
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// reset closes a connection so that the peer is told at once that all is over.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}
