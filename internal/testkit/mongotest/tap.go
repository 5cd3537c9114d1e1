package mongotest

import (
	"net/url"
	"strings"
	"testing"
)

// Tap is a server as it is reached by way of a proxy that a test may disturb. It counts commands: what only keeps a connection
// is none.
type Tap struct {
	*Server
	proxy *proxy
}

// Tap returns the server by way of a proxy that lasts as long as the test.
func (s *Server) Tap(t testing.TB) *Tap {
	t.Helper()
	query, err := url.ParseQuery(s.query)
	if err != nil {
		t.Fatal(err)
	}
	query.Set("serverMonitoringMode", "poll")
	query.Set("directConnection", "true")
	query.Set("retryReads", "false")              // or the driver would wait for what is cut to come back
	query.Set("serverSelectionTimeoutMS", "5000") // and so it would when a verb looks for what has become of a write
	query.Del("replicaSet")
	at := strings.LastIndexByte(s.hosts, '@') + 1
	host, _, _ := strings.Cut(s.hosts[at:], ",")
	p := &proxy{server: host}
	return &Tap{&Server{hosts: s.hosts[:at] + serve(t, p), query: query.Encode()}, p}
}

// Cut has all connections cut once that many commands have gone through, and no new ones made: as when the process at their
// end is killed.
func (tap *Tap) Cut(commands int) {
	tap.proxy.after(commands, func() fate {
		tap.proxy.breakDown()
		return dropped
	})
}

// Lose has the answer lost to the command that comes after that many others, and its connection with it.
func (tap *Tap) Lose(commands int) {
	tap.proxy.after(commands, func() fate { return unanswered })
}

// Mend has connections made again that Cut forbade.
func (tap *Tap) Mend() { tap.proxy.mend() }

// Hold has the command that comes after that many others wait until release is called; held is closed when it has come.
func (tap *Tap) Hold(commands int) (held <-chan struct{}, release func()) {
	come, on := make(chan struct{}), make(chan struct{})
	tap.proxy.after(commands, func() fate {
		close(come)
		<-on
		return answered
	})
	return come, func() { close(on) }
}
