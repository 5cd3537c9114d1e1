package jwt

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Status is the outcome of a check.
type Status string

// The outcomes of a check.
const (
	Pass    Status = "pass"
	Fail    Status = "fail"
	Skipped Status = "skipped" // not asked for, nothing to look at, or what it needs was not got
)

// Check is the outcome of one check, and why in words. The words repeat nothing from the token; they may name
// what was expected.
type Check struct {
	Name   string `json:"name"` // one of the Check… constants
	Status Status `json:"status"`
	Reason string `json:"reason"`
}

// Explanation is a token with the outcome of every check, in their order. It holds neither the signature nor a
// key.
type Explanation struct {
	// Header and Claims are as the token has them, when they could be read: nobody vouches for them unless the
	// explanation is valid. They may hold characters that a terminal obeys; String shows them escaped.
	Header json.RawMessage `json:"header,omitempty"`
	Claims json.RawMessage `json:"claims,omitempty"`
	Checks []Check         `json:"checks"`
}

// Valid reports whether no check failed: exactly when [Verifier.Verify] accepts the token.
func (x Explanation) Valid() bool {
	for _, c := range x.Checks {
		if c.Status == Fail {
			return false
		}
	}
	return len(x.Checks) > 0
}

// Explain makes the checks that Verify makes, by the same code, but does not stop at the first that fails: it
// goes on wherever what a check needs is there. It is for people who look at a token. Do not send an
// explanation to whoever sent the token.
func (v *Verifier) Explain(ctx context.Context, token string) Explanation {
	e := evaluation{v: v, ctx: ctx, token: token, now: v.expect.Now(), explains: true}
	x := Explanation{Checks: make([]Check, 0, len(allChecks))}
	var got stage
	for _, c := range &allChecks {
		vd := e.skip("not possible: an earlier check failed")
		if got&c.needs == c.needs {
			if vd = c.run(&e); vd.status != Fail {
				got |= c.gives
			}
		}
		x.Checks = append(x.Checks, Check{c.name, vd.status, vd.words()})
	}
	if got&gotHeader != 0 {
		x.Header = json.RawMessage(e.header.text)
	}
	if got&gotClaims != 0 {
		x.Claims = bytes.Clone(e.jws.payload)
	}
	return x
}

// String is the explanation as text for a terminal: header and claims, indented and with every character that
// does not print escaped, then one line for each check.
func (x Explanation) String() string {
	var b strings.Builder
	for _, part := range []struct {
		name string
		text json.RawMessage
	}{{"header", x.Header}, {"claims", x.Claims}} {
		if part.text == nil {
			fmt.Fprintf(&b, "%s: cannot be read\n", part.name)
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", part.name, printable(part.text))
	}
	for _, c := range x.Checks {
		fmt.Fprintf(&b, "%-7s  %-9s  %s\n", c.Status, c.Name, c.Reason)
	}
	return b.String()
}

// printable indents JSON and escapes what a terminal might obey, such as a C1 control or a change of the
// direction of writing.
func printable(text []byte) string {
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") != nil {
		return ""
	}
	var b strings.Builder
	for _, r := range indented.String() {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

// verdict is the outcome of a check before it is put into words, so that Verify need not make any.
type verdict struct {
	status Status
	kind   error         // when it failed
	text   string        // constant words
	by     time.Duration // how far out, or how far ahead
	more   *details      // nil for none
}

// details are what only some failures have.
type details struct {
	want  []string // what was expected, from the caller's configuration
	cause error    // what the key set returned
}

func fail(kind error, text string) *verdict { return &verdict{status: Fail, kind: kind, text: text} }

func (e *evaluation) pass(text string) *verdict { return e.say(Pass, text) }
func (e *evaluation) skip(text string) *verdict { return e.say(Skipped, text) }

// say returns nil for Verify, which goes on in any case.
func (e *evaluation) say(status Status, text string) *verdict {
	if !e.explains {
		return nil
	}
	return &verdict{status: status, text: text}
}

func (vd *verdict) out(by time.Duration) *verdict {
	if vd != nil {
		vd.by = by
	}
	return vd
}

func (vd *verdict) wanting(want ...string) *verdict {
	vd.more = &details{want: want}
	return vd
}

func (vd *verdict) asError(name string) *Error {
	err := &Error{Check: name, By: vd.by, kind: vd.kind, reason: vd.text}
	if vd.more != nil {
		err.cause = vd.more.cause
	}
	return err
}

func (vd *verdict) words() string {
	text := reason(vd.text, vd.by)
	if vd.more == nil {
		return text
	}
	if len(vd.more.want) > 0 {
		text += fmt.Sprintf("; expected %q", vd.more.want)
	}
	if vd.more.cause != nil {
		text += ": " + vd.more.cause.Error()
	}
	return text
}
