package app

import (
	"strings"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
)

// methods adds the routes of every login method. A new one is a folder below internal/login and an entry here.
func (a *App) methods(proxies api.Proxies) []func(*api.Router) error {
	devices := login.Devices{Secure: strings.HasPrefix(a.issuer, "https://")}
	return []func(*api.Router) error{
		func(rt *api.Router) error {
			return a.Passwords.Routes(rt, withpassword.HTTP{Log: a.log, Proxies: proxies, Devices: devices, Guard: a.Guard})
		},
	}
}
