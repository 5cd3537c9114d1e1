package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// A flood is what the flood's process is told, as JSON.
type flood struct {
	Addr      string
	Bodies    [][]byte    // of the attempts
	Addresses int         // in X-Forwarded-For, when more than one
	Reader    http.Header // of somebody who is logged in
}

// A deluge is what became of a flood.
type deluge struct {
	Offered, Connections int
	Statuses             map[int]int
	Failed               map[string]int // attempts without an answer, by what went wrong
	PerSecond, Answered  float64        // while attempts were offered
	P50, P99, RightP50   time.Duration  // RightP50 is of answers 200
}

// runFlood is the job of the flood's process: a flood on stdin; on stdout a
// line when the last attempt has been offered, then a deluge.
func runFlood(ctx context.Context, in io.Reader, out io.Writer) error {
	var f flood
	if err := json.NewDecoder(in).Decode(&f); err != nil {
		return err
	}
	transport := &floodTransport{}
	transport.http = &http.Transport{
		MaxConnsPerHost: floodConnections, MaxIdleConns: floodConnections, MaxIdleConnsPerHost: floodConnections,
		DialContext: transport.dial, DisableCompression: true,
	}
	if err := f.openAll(ctx, transport); err != nil {
		return err
	}
	attacker := vegeta.NewAttacker(vegeta.Client(&http.Client{Transport: transport, Timeout: floodTimeout}))
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	begin := time.Now()
	// One worker for each attempt under way, however many: they do not wait for each other.
	results := attacker.Attack(f.targets(), vegeta.Rate{Freq: floodRate, Per: time.Second}, floodDuration, "")
	ended := time.AfterFunc(floodDuration, func() { fmt.Fprintln(out, "offered") })
	defer ended.Stop()
	d, err := collect(results, begin)
	if err != nil {
		return err
	}
	d.Connections = int(transport.dialed.Load())
	return json.NewEncoder(out).Encode(d)
}

func collect(results <-chan *vegeta.Result, begin time.Time) (deluge, error) {
	d := deluge{Statuses: map[int]int{}, Failed: map[string]int{}}
	var all, right, ends []time.Duration
	var lastSent time.Duration
	for r := range results {
		d.Offered++
		lastSent = max(lastSent, r.Timestamp.Sub(begin))
		if r.Code == 0 || r.Error != "" && r.Code < 400 {
			d.Failed[reason(r.Error)]++
			continue
		}
		d.Statuses[int(r.Code)]++
		all = append(all, r.Latency)
		if r.Code == http.StatusOK {
			right = append(right, r.Latency)
		}
		ends = append(ends, r.End().Sub(begin))
	}
	if d.Offered == 0 || lastSent <= 0 {
		return d, errors.New("vegeta attempted nothing")
	}
	slices.Sort(all)
	slices.Sort(right)
	d.PerSecond = float64(d.Offered) / lastSent.Seconds()
	late := func(end time.Duration) bool { return end > lastSent }
	d.Answered = float64(len(slices.DeleteFunc(ends, late))) / lastSent.Seconds()
	d.P50, d.P99, d.RightP50 = percentile(all, 50), percentile(all, 99), percentile(right, 50)
	return d, nil
}

// reason leaves out of an error what differs from attempt to attempt.
func reason(text string) string {
	for _, known := range []string{noConnection, noAnswer, "connection reset by peer", "connection refused", "EOF"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return text
}

// targets draws from bodies and addresses, the same in each run.
func (f *flood) targets() vegeta.Targeter {
	headers := make([]http.Header, max(f.Addresses, 1))
	for n := range headers {
		headers[n] = account{}.to("").header
		if f.Addresses > 1 {
			headers[n].Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255))
		}
	}
	var count atomic.Uint64
	return func(t *vegeta.Target) error {
		draw := rand.NewPCG(1, count.Add(1)).Uint64()
		t.Method, t.URL = http.MethodPost, "http://"+f.Addr+"/login"
		t.Body = f.Bodies[draw%uint64(len(f.Bodies))]
		t.Header = headers[draw>>32%uint64(len(headers))]
		return nil
	}
}

// openAll has all connections open before the first attempt: the client would
// open only as many as it needs at a time, and the server have less to hold.
// None is given back before all are there.
func (f *flood) openAll(ctx context.Context, transport http.RoundTripper) error {
	type opened struct {
		res *http.Response
		err error
	}
	answers := make(chan opened)
	for range floodConnections {
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.Addr+"/user/profile", nil)
			if err != nil {
				answers <- opened{nil, err}
				return
			}
			req.Header = f.Reader.Clone()
			res, err := transport.RoundTrip(req)
			answers <- opened{res, err}
		}()
	}
	var errs []error
	var held []*http.Response
	for range floodConnections {
		switch a := <-answers; {
		case a.err != nil:
			errs = append(errs, a.err)
		default:
			held = append(held, a.res)
		}
	}
	for _, res := range held {
		if res.StatusCode != http.StatusOK {
			errs = append(errs, fmt.Errorf("opening connections: %s", res.Status))
		}
		_, err := io.Copy(io.Discard, res.Body)
		errs = append(errs, err, res.Body.Close())
	}
	return errors.Join(errs...)
}

// What is wrong with an attempt that got no answer in floodTimeout: whether the
// generator had no free connection for it, or the server left it waiting.
const (
	noConnection = "no connection was free in time"
	noAnswer     = "no answer in time"
)

// A floodTransport counts connections, and tells those two apart.
type floodTransport struct {
	http   *http.Transport
	dialed atomic.Int64
}

func (t *floodTransport) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err == nil {
		t.dialed.Add(1)
	}
	return conn, err
}

// RoundTrip implements [http.RoundTripper].
func (t *floodTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	res, err := t.http.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	// The client's timeout comes as a deadline and as a cancellation, whichever is first.
	timedOut := err != nil && (req.Context().Err() != nil || strings.Contains(err.Error(), "request canceled"))
	switch {
	case !timedOut:
		return res, err
	case connected.Load():
		return nil, errors.New(noAnswer)
	default:
		return nil, errors.New(noConnection)
	}
}
