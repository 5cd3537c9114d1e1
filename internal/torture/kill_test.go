package torture

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// The process is killed while clients sign up, log in and refresh, and keys are rotated. What any of them was told has
// been done is there when the server comes back.
func TestKill(t *testing.T) {
	onEach(t, func(t *testing.T, d *database) {
		environ := d.environment("COUNTERSIGN_JWT_ACCESS_TTL=2h")
		s := start(t, environ)
		x := newSite(t, s.url)
		crowd := x.gather("kill", d.clients)
		keys := rotateKeys(t, environ)
		first := &user{email: "probe@example.com", addr: "10.200.0.1"}
		if !x.signUp(first) || !x.logIn(first) {
			t.FailNow()
		}
		probe := x.probe(first.access)

		kills, worst := rounds(6, 100), time.Duration(0)
		for range kills {
			time.Sleep(30*time.Millisecond + rand.N(500*time.Millisecond)) // somewhere in what they do
			s.kill()
			s = start(t, environ)
			worst = max(worst, s.took)
			x.is(s.url)
		}
		users := append(crowd.stop(), first)
		rotated := keys.stop()
		probe.stop(t)
		t.Logf("%d kills, %d users, %d rotations, slowest start %v", kills, len(users), len(rotated), worst)
		if worst > 2*time.Second {
			t.Errorf("a server took %v to start", worst)
		}
		if len(users) < d.clients || len(rotated) == 0 {
			t.Errorf("too little was done for a test: %d users, %d rotations", len(users), len(rotated))
		}
		x.wantAll(users)
		x.wantKeys(rotated)
		if err := s.stop(); err != nil {
			t.Error(err, s.log)
		}
		d.wantWhole(t, users)
	})
}

// rotation rotates the keys all the time, by the command.
type rotation struct {
	stopped chan struct{}
	running sync.WaitGroup
	keys    []string
}

// maxRotations is how many keys at most are made: a key set has room for a hundred.
const maxRotations = 60

// rotateKeys rotates the keys until it is stopped. Every third command is killed half-way.
func rotateKeys(t *testing.T, environ []string) *rotation {
	r := &rotation{stopped: make(chan struct{})}
	r.running.Go(func() {
		for n := 0; n < maxRotations; n++ {
			select {
			case <-r.stopped:
				return
			case <-time.After(rand.N(400 * time.Millisecond)):
			}
			key, err := rotateKey(environ, n%3 == 2)
			if err != nil {
				t.Errorf("rotate the keys: %v", err)
				return
			}
			if key != "" {
				r.keys = append(r.keys, key)
			}
		}
	})
	return r
}

// rotateKey returns the id of a new key; none if the command has been killed first.
func rotateKey(environ []string, kill bool) (string, error) {
	if kill {
		cmd := exec.Command("countersign", "key", "rotate", "--now")
		cmd.Env = environ
		if err := cmd.Start(); err != nil {
			return "", err
		}
		time.Sleep(rand.N(80 * time.Millisecond)) // it takes about half of that
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return "", nil
	}
	out, err := command(environ, "key", "rotate", "--now", "--json")
	if err != nil {
		return "", err
	}
	var key struct{ ID string }
	err = json.Unmarshal([]byte(out), &key)
	return key.ID, err
}

// stop returns the keys that the commands said they have made.
func (r *rotation) stop() []string {
	close(r.stopped)
	r.running.Wait()
	return r.keys
}

// wantKeys expects these keys in the key set.
func (x *site) wantKeys(ids []string) {
	a, err := x.ask(request{method: http.MethodGet, path: "/.well-known/jwks.json"})
	if err != nil {
		x.t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, k := range a.Keys {
		listed[k.ID] = true
	}
	for _, id := range ids {
		if !listed[id] {
			x.t.Errorf("the key %s is lost; there are %d", id, len(listed))
		}
	}
}
