package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is long: where 64 logins share a core with reads, one may well take
// ten seconds. An answer that takes longer fails the run.
const patience = time.Minute

// runLoad is the job of the load's process: a phase on stdin, a sight on stdout.
func runLoad(ctx context.Context, in io.Reader, out io.Writer) error {
	var p phase
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return err
	}
	seen, err := p.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(seen)
}

// A loadClient belongs to its goroutine until that has ended, but for the atomics.
type loadClient struct {
	*rawClient
	crowd   *crowd
	wire    []byte
	spans   []span
	answers atomic.Int64
	sent    atomic.Int64 // when the request under way was, from the beginning
}

func (p *phase) run(ctx context.Context) (sight, error) {
	clients, err := p.connect(ctx)
	defer func() {
		for _, c := range clients {
			c.conn.Close()
		}
	}()
	if err != nil {
		return sight{}, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stop := make(chan struct{})
	var all sync.WaitGroup
	begin := time.Now()
	for _, c := range clients {
		all.Go(func() {
			if err := c.loop(begin, stop); err != nil {
				fail(fmt.Errorf("%s: answer %d: %w", c.crowd.Name, len(c.spans)+1, err))
			}
		})
	}
	w, err := p.watch(ctx, begin, clients)
	close(stop)
	if err != nil {
		return sight{}, err
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil { // while the last ones were waited for
		return sight{}, err
	}
	seen := sight{ServerCPU: w.serverCPU, LoadCPU: w.loadCPU}
	for i := range p.Crowds {
		var spans []span
		for _, c := range clients {
			if c.crowd == &p.Crowds[i] {
				spans = append(spans, c.spans...)
			}
		}
		seen.Crowds = append(seen.Crowds, tallyOf(spans, w.open, w.shut))
	}
	return seen, nil
}

func (p *phase) connect(ctx context.Context) ([]*loadClient, error) {
	var clients []*loadClient
	for i := range p.Crowds {
		crowd := &p.Crowds[i]
		for n := range crowd.Clients {
			conn, err := dialRaw(ctx, p.Addr, patience)
			if err != nil {
				return clients, err
			}
			clients = append(clients, &loadClient{
				rawClient: conn, crowd: crowd, wire: crowd.Requests[n%len(crowd.Requests)],
			})
		}
	}
	return clients, nil
}

func (c *loadClient) loop(begin time.Time, stop <-chan struct{}) error {
	for !closed(stop) {
		sent := time.Since(begin)
		c.sent.Store(int64(sent))
		err := c.exchange(c.wire, c.crowd.Want)
		refused, isRefusal := err.(refusal)
		if err != nil && !(isRefusal && c.crowd.MayRefuse) {
			return err
		}
		c.spans = append(c.spans, span{sent, time.Since(begin), isRefusal})
		c.answers.Add(1)
		if c.crowd.Refresh {
			if err := c.takeRefreshToken(); err != nil {
				return err
			}
		}
		if c.crowd.Fresh {
			if err := freshen(c.wire); err != nil {
				return err
			}
		}
		if isRefusal {
			select {
			case <-stop:
			case <-time.After(refused.after):
			}
		}
	}
	return nil
}

func (c *loadClient) takeRefreshToken() error {
	token, err := refreshTokenIn(c.body)
	if err == nil {
		c.wire, err = refreshWith(token).wire(c.conn.RemoteAddr().String())
	}
	return err
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// A window is the part of a phase that counts.
type window struct {
	open, shut         time.Duration // from the beginning
	serverCPU, loadCPU float64
}

// watch returns when all that was under way at the window's end is answered.
func (p *phase) watch(ctx context.Context, begin time.Time, clients []*loadClient) (w window, err error) {
	until := func(done func(*loadClient) bool) error {
		for _, c := range clients {
			for !done(c) {
				if err := pause(ctx, 5*time.Millisecond); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := pause(ctx, p.Settle); err != nil {
		return w, err
	}
	if err := until(func(c *loadClient) bool { return c.answers.Load() > 0 }); err != nil {
		return w, err
	}
	server0, load0, err := p.cpuTimes()
	if err != nil {
		return w, err
	}
	w.open = time.Since(begin)
	if err := pause(ctx, p.Window); err != nil {
		return w, err
	}
	w.shut = time.Since(begin)
	server1, load1, err := p.cpuTimes()
	if err != nil {
		return w, err
	}
	took := (w.shut - w.open).Seconds()
	w.serverCPU, w.loadCPU = (server1-server0).Seconds()/took, (load1-load0).Seconds()/took
	return w, until(func(c *loadClient) bool { return c.sent.Load() > int64(w.shut) })
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// cpuTimes gives the server's and our own.
func (p *phase) cpuTimes() (server, load time.Duration, err error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, 0, err
	}
	server, err = cpuTimeOf(p.PID)
	return server, time.Duration(own.Utime.Nano() + own.Stime.Nano()), err
}
