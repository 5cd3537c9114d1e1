package ratelimit_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/ratelimit"
)

// golden was issued to mike at start. Cookies live for 400 days: a later version must still know it.
const (
	golden   = "ATEc-udKYCTf3hp5gWseKoAAAAAAaaQqQPTxpKPRuVf1kVooFk4Ue2tUP9FU0qYS-az5wQ7QIr3E"
	goldenID = "MRz650pgJN_eGnmBax4qgA"
)

func newDevices(t testing.TB) *ratelimit.Devices {
	t.Helper()
	d, err := ratelimit.NewDevices(key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDevice(t *testing.T) {
	t.Parallel()
	if _, err := ratelimit.NewDevices(key[1:]); err == nil {
		t.Error("a short key is taken")
	}
	d := newDevices(t)
	token := d.Issue(mike, start)
	id, ok := d.Check(token, mike, start)
	if !ok || len(id) != 22 || len(token) != 76 || strings.Contains(token, "mike") {
		t.Fatalf("%q: %q %v", token, id, ok)
	}
	if again, ok := newDevices(t).Check(token, mike, start.Add(400*24*time.Hour-time.Second)); !ok || again != id {
		t.Errorf("on another node, much later: %q %v", again, ok)
	}
	if _, ok := d.Check(token, mike, start.Add(-1000*24*time.Hour)); !ok {
		t.Error("not good after the clock was set back")
	}
	if id, ok := d.Check(golden, mike, start); !ok || id != goldenID {
		t.Errorf("the golden token: %q %v", id, ok)
	}
	if d.Issue(mike, start) == token {
		t.Error("two devices have one token")
	}
	other, err := ratelimit.NewDevices(append([]byte{1}, key...))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		d              *ratelimit.Devices
		token, account string
		after          time.Duration
	}{
		"expired":         {d, token, mike, 400 * 24 * time.Hour},
		"another account": {d, token, "eve@example.com", 0},
		"no account":      {d, token, "", 0},
		"another key":     {other, token, mike, 0},
		"empty":           {d, "", mike, 0},
		"cut":             {d, token[:75], mike, 0},
		"longer":          {d, token + "A", mike, 0},
		"padded":          {d, token + "====", mike, 0},
		"newline inside":  {d, token[:10] + "\n" + token[11:], mike, 0},
		"newline behind":  {d, token + "\n", mike, 0},
		"other alphabet":  {d, strings.Repeat("+", 76), mike, 0},
		"zeros":           {d, strings.Repeat("A", 76), mike, 0},
	} {
		if id, ok := tt.d.Check(tt.token, tt.account, start.Add(tt.after)); ok || id != "" {
			t.Errorf("%s: %q is good", name, id)
		}
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 1
		if _, ok := d.Check(base64.RawURLEncoding.EncodeToString(b), mike, start); ok {
			t.Errorf("good with byte %d changed", i)
		}
		b[i] ^= 1
	}
}

func FuzzDeviceCheck(f *testing.F) {
	d := newDevices(f)
	for _, token := range []string{golden, "", golden[:75], strings.Repeat("A", 76), golden[:75] + "\n", strings.Repeat("\xff", 76)} {
		f.Add(token, mike)
	}
	f.Fuzz(func(t *testing.T, token, account string) {
		id, ok := d.Check(token, account, start)
		if ok != (token == golden && account == mike) || ok != (id != "") {
			t.Errorf("%q for %q: %q %v", token, account, id, ok)
		}
		if issued := d.Issue(account, start); !isGood(d, issued, account) {
			t.Errorf("%q is not good for %q", issued, account)
		}
	})
}

func isGood(d *ratelimit.Devices, token, account string) bool {
	_, ok := d.Check(token, account, start)
	return ok
}
