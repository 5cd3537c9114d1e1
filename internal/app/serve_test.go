package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
)

// serve runs app.Serve and returns its URL once it listens. Stop ends it as a signal would, and waits.
func serve(t *testing.T, settings ...string) (base string, stop func() error) {
	t.Helper()
	environ := []string{"COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_DATA=" + t.TempDir()}
	for _, s := range settings {
		environ = append(environ, "COUNTERSIGN_"+s)
	}
	cfg, _, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := app.Serve(ctx, cfg, slog.New(slog.DiscardHandler), in)
		ended <- err
		in.CloseWithError(fmt.Errorf("serve ended: %w", err))
	}()
	buffer := make([]byte, 4096)
	n, err := out.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	found := regexp.MustCompile(`listens on (\S+)`).FindSubmatch(buffer[:n])
	if found == nil {
		t.Fatalf("no address in %s", buffer[:n])
	}
	var once sync.Once
	stop = func() (err error) {
		once.Do(func() { cancel(); err = <-ended })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return string(found[1]), stop
}

func TestStoppingFinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	base, stop := serve(t, "PASSWORD_BCRYPT_COST=11", "LIMITS_INSECURE_DISABLED=true")
	const clients = 4
	c := &http.Client{Transport: &http.Transport{MaxConnsPerHost: clients}}
	var started, answered, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for n := range 10_000 {
				started.Add(1)
				res, err := c.PostForm(base+"/signup", url.Values{"email": {fmt.Sprintf("u%d-%d@example.com", i, n)}, "password": {"correct-horse"}})
				if err != nil {
					// The listener is closed, or an idle connection was before the request reached it: nothing was acknowledged.
					if !strings.Contains(err.Error(), "refused") && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "EOF") {
						t.Errorf("client %d: %v", i, err)
					}
					refused.Add(1)
					return
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != 200 || !strings.HasSuffix(string(body), "}\n") {
					t.Errorf("client %d: %d %q %v", i, res.StatusCode, body, err)
				}
				answered.Add(1)
			}
		})
	}
	// Hashes that begin together end together, and so do the answers: the stop is to come between them.
	for answered.Load() < 5 || started.Load()-answered.Load() < clients {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond) // of the 100 that a hash takes
	before := answered.Load()
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	wg.Wait()
	if answered.Load() == before {
		t.Errorf("of %d requests %d were answered, %d before the stop, and %d refused: those in flight were dropped", started.Load(), answered.Load(), before, refused.Load())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := selfSigned(t)
	base, _ := serve(t, "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	if !strings.HasPrefix(base, "https://") {
		t.Fatalf("it says %s", base)
	}
	c := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	res, err := c.Get(base + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %d %v", res.Proto, res.StatusCode, res.Header)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11}}}
	if res, err := old.Get(base + "/healthz"); err == nil {
		res.Body.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ variable, want string }{
		"no such certificate":      {"TLS_CERT_FILE=/nowhere", "tls.cert_file"},
		"a folder it may not make": {"DATA=/proc/nowhere", "data folder"},
	} {
		cfg, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_DATA=" + t.TempDir(), "COUNTERSIGN_TLS_KEY_FILE=", "COUNTERSIGN_" + c.variable}})
		if err == nil {
			err = app.Serve(t.Context(), cfg, slog.New(slog.DiscardHandler), io.Discard)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", private), pool
}
