package login

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/password"
	"github.com/countersign-auth/countersign/problem"
)

// Explain returns what a client may know of an error of [Flow.Attempt], with a challenge of that realm, and other errors as
// they are.
func Explain(err error, realm string) error {
	var refusal *ratelimit.Refusal
	var overload *password.OverloadError
	switch {
	case errors.Is(err, ErrInvalid):
		return problem.New(http.StatusUnauthorized, "invalid_credentials", "The e-mail address or the password is wrong.").
			WithChallenges(problem.Bearer(realm))
	case errors.As(err, &refusal):
		return problem.New(http.StatusTooManyRequests, "too_many_attempts", "There were too many attempts. Try again later.").
			WithRetryAfter(refusal.RetryAfter).WithCause(err)
	case errors.As(err, &overload):
		return problem.New(http.StatusServiceUnavailable, "busy", "Too many logins at this moment. Try again shortly.").
			WithRetryAfter(overload.RetryAfter) // without a cause, for the log: the audit log counts them
	default:
		return err
	}
}

const (
	// maxDevices is for how many accounts a browser is known at a time: the last ones that it logged in to.
	maxDevices = 4
	// maxDeviceToken bounds what is taken for a token, in bytes.
	maxDeviceToken = 128
	// deviceLife is how long browsers keep a cookie at the most.
	deviceLife = 400 * 24 * time.Hour
)

// Devices carries the tokens of known devices in a cookie. It is no credential: it keeps a browser that has logged in
// before from being held up by what strangers do to the account. Clients that keep no cookies lose nothing else.
type Devices struct {
	// Secure says that browsers reach the server by HTTPS.
	Secure bool
}

// name begins with __Host- where it may, so that no other host of the domain can set the cookie (RFC 6265bis, section
// 4.1.3.2).
func (d Devices) name() string {
	if d.Secure {
		return "__Host-countersign-devices"
	}
	return "countersign-devices"
}

// Client returns who sent r.
func (d Devices) Client(w http.ResponseWriter, r *http.Request, proxies api.Proxies) Client {
	c := Client{Addr: proxies.Client(r), RequestID: w.Header().Get("X-Request-Id"), Agent: r.UserAgent()}
	cookie, err := r.Cookie(d.name())
	if err != nil {
		return c
	}
	for _, t := range strings.SplitN(cookie.Value, ".", maxDevices+1) {
		if len(t) <= maxDeviceToken && len(c.Devices) < maxDevices {
			c.Devices = append(c.Devices, t)
		}
	}
	return c
}

// Remember sets the cookie for a client that has logged in, unless it has it so already.
func (d Devices) Remember(w http.ResponseWriter, c Client, device string) {
	if len(c.Devices) > 0 && c.Devices[0] == device {
		return
	}
	others := slices.DeleteFunc(slices.Clone(c.Devices), func(t string) bool { return t == device })
	tokens := append([]string{device}, others[:min(len(others), maxDevices-1)]...)
	http.SetCookie(w, &http.Cookie{
		Name: d.name(), Value: strings.Join(tokens, "."), Path: "/", MaxAge: int(deviceLife.Seconds()),
		Secure: d.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
