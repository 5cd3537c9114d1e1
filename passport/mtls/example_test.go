package mtls_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/mtls"
)

func Example() {
	certificates, err := mtls.New(func(_ context.Context, c *x509.Certificate) (*passport.Principal, bool, error) {
		if len(c.DNSNames) != 1 {
			return nil, false, nil
		}
		return &passport.Principal{ID: c.DNSNames[0], Scopes: []string{"orders:read"}}, true, nil // ask a database here
	}, mtls.Options{})
	if err != nil {
		panic(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*passport.Principal]{Name: "mtls", Strategy: certificates})
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*passport.Principal]{}, "mtls")
	if err != nil {
		panic(err)
	}
	// The server's TLSConfig needs ClientAuth: tls.VerifyClientCertIfGiven, and ClientCAs.
	w := httptest.NewRecorder()
	guard.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/orders", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 TLS-Client-Certificate
}
