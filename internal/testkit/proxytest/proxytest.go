//go:build unix

// Package proxytest runs nginx, Caddy and Traefik with the very files of examples/, before the servers of a test. None needs
// root.
package proxytest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// Proxy is one that runs.
type Proxy struct {
	// Addr is its address and port, for both sites.
	Addr string
	// TLS says that it speaks TLS, and HTTP/2 to whom that is known.
	TLS bool
	dir string
}

// Nginx runs nginx before these servers until the test ends.
func Nginx(t testing.TB, s Servers) *Proxy {
	t.Helper()
	return start(t, need.Nginx(t), s, ConfigureNginx)
}

// Caddy runs Caddy before these servers until the test ends.
func Caddy(t testing.TB, s Servers) *Proxy {
	t.Helper()
	return start(t, need.Caddy(t), s, configureCaddy)
}

// NginxTLS is Nginx with TLS, as the example has it, and HTTP/2, and a certificate that no client trusts.
func NginxTLS(t testing.TB, s Servers) *Proxy {
	t.Helper()
	p := start(t, need.Nginx(t), s, withCertificate(t, configureNginxTLS))
	p.TLS = true
	return p
}

// CaddyTLS is for Caddy what NginxTLS is for nginx.
func CaddyTLS(t testing.TB, s Servers) *Proxy {
	t.Helper()
	p := start(t, need.Caddy(t), s, withCertificate(t, configureCaddyTLS))
	p.TLS = true
	return p
}

// A configuration writes the files of a proxy and returns the command that runs it.
type configuration func(dir, bin, addr string, s Servers) (argv []string, err error)

// withCertificate writes that of httptest, and its key, to the folder before.
func withCertificate(t testing.TB, configure configuration) configuration {
	return func(dir, bin, addr string, s Servers) ([]string, error) {
		server := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		certificate := server.TLS.Certificates[0]
		key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
		if err != nil {
			return nil, err
		}
		for _, file := range []struct {
			name  string
			block pem.Block
		}{{"example.com.crt", pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}}, {"example.com.key", pem.Block{Type: "PRIVATE KEY", Bytes: key}}} {
			if err := os.WriteFile(filepath.Join(dir, file.name), pem.EncodeToMemory(&file.block), 0o600); err != nil {
				return nil, err
			}
		}
		return configure(dir, bin, addr, s)
	}
}

// Traefik runs that program, which no package of Debian brings, before these servers until the test ends.
func Traefik(t testing.TB, bin string, s Servers) *Proxy {
	t.Helper()
	p := start(t, bin, s, configureTraefik)
	p.awaitSites(t, "http")
	return p
}

// TraefikTLS is for Traefik what NginxTLS is for nginx.
func TraefikTLS(t testing.TB, bin string, s Servers) *Proxy {
	t.Helper()
	p := start(t, bin, s, withCertificate(t, configureTraefikTLS))
	p.TLS = true
	p.awaitSites(t, "https")
	return p
}

// awaitSites is for Traefik, which listens before it has read all.
func (p *Proxy) awaitSites(t testing.TB, scheme string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+p.Addr, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = APIHost
		if res, err := client.Do(req); err == nil && res.Body.Close() == nil && res.StatusCode != http.StatusNotFound {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("traefik has no sites:\n%s", p.read(t, "log"))
		}
	}
}

// AccessLog returns what nginx has logged of requests so far.
func (p *Proxy) AccessLog(t testing.TB) string {
	t.Helper()
	return p.read(t, "access.log")
}

func (p *Proxy) read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func start(t testing.TB, bin string, s Servers, configure configuration) *Proxy {
	t.Helper()
	p := &Proxy{dir: t.TempDir(), Addr: freeAddr(t)}
	argv, err := configure(p.dir, bin, p.Addr, s)
	if err != nil {
		t.Fatal(err)
	}
	// It ends when the input of the shell ends, which it does with this process.
	const script = `"$@" </dev/null >"$HOME/log" 2>&1 & proxy=$!; cat; kill $proxy; wait $proxy`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh"}, argv...)...)
	cmd.Dir, cmd.SysProcAttr = p.dir, &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(os.Environ(), "HOME="+p.dir, "XDG_DATA_HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir)
	open, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = open.Close()
		_ = cmd.Wait() // its status is that of a process that was ended
		if t.Failed() {
			t.Logf("%s said:\n%.20000s", filepath.Base(bin), p.read(t, "log"))
		}
	})
	if err := p.await(); err != nil {
		t.Fatalf("%s: %v\n%s", bin, err, p.read(t, "log"))
	}
	return p
}

func (p *Proxy) await() error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", p.Addr)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not listen: %w", err)
		}
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
