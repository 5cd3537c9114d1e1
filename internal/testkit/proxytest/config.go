//go:build unix

package proxytest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// The names of the sites in the examples.
const (
	APIHost = "api.example.com"
	AppHost = "app.example.com"
)

// Servers are the addresses and ports of what stands behind a proxy: Countersign and the two sites that it guards.
type Servers struct{ Countersign, API, App string }

// behind returns what takes the place of the addresses in an example.
func (s Servers) behind() []string {
	return []string{"127.0.0.1:3000", s.Countersign, "127.0.0.1:8081", s.API, "127.0.0.1:8082", s.App}
}

// ConfigureNginx writes the files of examples/nginx to dir, changed to listen on addr without TLS and to keep what it writes
// below dir, and returns the command that runs nginx with them until it is ended.
func ConfigureNginx(dir, bin, addr string, s Servers) (argv []string, err error) {
	return configureNginx(dir, bin, addr, s, "listen 443 ssl", "listen "+addr,
		"        ssl_certificate     /etc/nginx/tls/example.com.crt;\n", "", "        ssl_certificate_key /etc/nginx/tls/example.com.key;\n", "")
}

// configureNginxTLS leaves TLS in, and adds HTTP/2.
func configureNginxTLS(dir, bin, addr string, s Servers) (argv []string, err error) {
	return configureNginx(dir, bin, addr, s, "listen 443 ssl", "listen "+addr+" ssl http2", "/etc/nginx/tls/", dir+"/")
}

func configureNginx(dir, bin, addr string, s Servers, changes ...string) (argv []string, err error) {
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("\n    %s_temp_path %s/%s;", kind, dir, kind)
	}
	changes = append(append(s.behind(), changes...),
		"/run/nginx.pid", filepath.Join(dir, "pid"), "/var/log/nginx/", dir+"/", "http {", "http {"+temp)
	if err := adapt("nginx/nginx.conf", filepath.Join(dir, "nginx.conf"), changes...); err != nil {
		return nil, err
	}
	if err := adapt("nginx/guard.conf", filepath.Join(dir, "guard.conf")); err != nil {
		return nil, err
	}
	directives := "daemon off;"
	if os.Geteuid() == 0 { // whose files the usual user of the workers may not read
		directives += " user root;"
	}
	return []string{bin, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"), "-g", directives}, nil
}

// configureCaddy is ConfigureNginx for Caddy.
func configureCaddy(dir, bin, addr string, s Servers) (argv []string, err error) {
	return configureSites(dir, bin, addr, s, "http", "")
}

// configureCaddyTLS leaves TLS in, and HTTP/2, which Caddy then speaks.
func configureCaddyTLS(dir, bin, addr string, s Servers) (argv []string, err error) {
	return configureSites(dir, bin, addr, s, "https", fmt.Sprintf("\n\ttls %s/example.com.crt %[1]s/example.com.key", dir))
}

func configureSites(dir, bin, addr string, s Servers, scheme, first string) (argv []string, err error) {
	host, port, _ := strings.Cut(addr, ":")
	at := func(name string) string { return scheme + "://" + name + ":" + port + " {" + first }
	changes := append(s.behind(),
		"order request_header", "admin off\n\tauto_https off\n\tdefault_bind "+host+"\n\torder request_header",
		APIHost+" {", at(APIHost), AppHost+" {", at(AppHost), "\n:443 {", "\n"+at(""))
	file := filepath.Join(dir, "Caddyfile")
	if err := adapt("caddy/Caddyfile", file, changes...); err != nil {
		return nil, err
	}
	return []string{bin, "run", "--adapter", "caddyfile", "--config", file}, nil
}

// configureTraefik is ConfigureNginx for Traefik.
func configureTraefik(dir, bin, addr string, s Servers) (argv []string, err error) {
	changes := append(s.behind(), "\ntls:\n  certificates:\n    - certFile: /etc/traefik/tls/example.com.crt\n      keyFile: /etc/traefik/tls/example.com.key\n", "")
	return configureRouters(dir, bin, changes, ":443", addr, "      tls: {}\n", "")
}

// configureTraefikTLS leaves TLS in, and HTTP/2, which Traefik then speaks.
func configureTraefikTLS(dir, bin, addr string, s Servers) (argv []string, err error) {
	return configureRouters(dir, bin, append(s.behind(), "/etc/traefik/tls/", dir+"/"), ":443", addr)
}

func configureRouters(dir, bin string, guardedChanges []string, changes ...string) (argv []string, err error) {
	guarded, file := filepath.Join(dir, "guarded.yaml"), filepath.Join(dir, "traefik.yaml")
	if err := adapt("traefik/traefik.yaml", file, append(changes, "filename: guarded.yaml", "filename: "+guarded)...); err != nil {
		return nil, err
	}
	if err := adapt("traefik/guarded.yaml", guarded, guardedChanges...); err != nil {
		return nil, err
	}
	return []string{bin, "--configFile=" + file}, nil
}

// adapt copies an example with these changes, each a text and what takes its place. An example that has not got what is to
// be changed is an error: it would be another one that is tested.
func adapt(example, to string, changes ...string) error {
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "..", "examples", example))
	if err != nil {
		return err
	}
	for pair := range slices.Chunk(changes, 2) {
		if !strings.Contains(string(text), pair[0]) {
			return fmt.Errorf("examples/%s has no %q", example, pair[0])
		}
	}
	return os.WriteFile(to, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o644)
}
