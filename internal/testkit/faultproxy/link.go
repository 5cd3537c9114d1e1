package faultproxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection of a client, and the one to the server that goes with it.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn

	silent atomic.Bool // passes nothing on any more
	lost   atomic.Bool // the answer that comes next is to be lost
	once   sync.Once
	over   chan struct{} // closed when the link is cut
}

// chunk is what was read at once, and when it is due.
type chunk struct {
	bytes []byte
	due   time.Time
}

// run passes bytes both ways until either side is done.
func (l *link) run() {
	var both sync.WaitGroup
	both.Go(func() { l.pass(l.client, l.server, true) })
	both.Go(func() { l.pass(l.server, l.client, false) })
	both.Wait()
	l.cut()
}

// cut resets both connections.
func (l *link) cut() {
	l.once.Do(func() {
		close(l.over)
		reset(l.client)
		reset(l.server)
	})
}

// patience is how long the server may take to finish what it was asked once its client has been cut off.
const patience = 5 * time.Second

// lose cuts the client off, and lets the server finish what it was asked.
func (l *link) lose() {
	l.once.Do(func() {
		close(l.over)
		reset(l.client)
		_ = l.server.CloseWrite()
		_ = l.server.SetReadDeadline(time.Now().Add(patience))
		l.proxy.running.Go(func() {
			_, _ = io.Copy(io.Discard, l.server)
			_ = l.server.Close()
		})
	})
}

// pass passes on what one side sends to the other, and its end.
func (l *link) pass(from, to *net.TCPConn, request bool) {
	const ahead = 64 // chunks that are read before they are due
	chunks := make(chan chunk, ahead)
	var reading sync.WaitGroup
	reading.Go(func() { l.read(from, chunks, request) })
	for c := range chunks {
		if !l.wait(c.due) {
			break
		}
		if !request && l.lost.Load() {
			l.lose()
			break
		}
		if l.silent.Load() {
			continue
		}
		if request && l.proxy.loses(c.bytes) {
			l.lost.Store(true)
		}
		if _, err := to.Write(c.bytes); err != nil {
			l.cut()
			break
		}
	}
	for range chunks { // until the reader has noticed
	}
	reading.Wait()
	if !l.silent.Load() {
		_ = to.CloseWrite()
	}
}

// read reads until the connection ends.
func (l *link) read(from *net.TCPConn, chunks chan<- chunk, request bool) {
	defer close(chunks)
	for {
		buffer := make([]byte, 32<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			f, _ := l.proxy.now()
			due := time.Now()
			if !request {
				due = due.Add(f.delay)
			}
			chunks <- chunk{buffer[:n], due}
		}
		if err != nil {
			return
		}
	}
}

// wait returns when a chunk is due and nothing is held. It reports false when the link was cut meanwhile.
func (l *link) wait(due time.Time) bool {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.over:
		return false
	}
	for {
		f, healed := l.proxy.now()
		if !f.held {
			return true
		}
		select {
		case <-healed:
		case <-l.over:
			return false
		}
	}
}
