// Command plainjwt is the yardstick of the benchmark: the profile route as a
// plain net/http handler, with golang-jwt checking the token (-mode jwt) or
// nothing checking it (-mode bare). Sign-up and login are stubs that accept
// anybody, so that the runner can treat it like the real servers; never use it
// for anything else.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

type user struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

type claims struct {
	User user `json:"user"`
	jwt.RegisteredClaims
}

type profile struct {
	Message string `json:"message"`
	User    user   `json:"user"`
	Token   string `json:"token"`
}

const welcome = "You made it to the secure route"

func main() {
	listen := flag.String("listen", "127.0.0.1:3001", "`address` to listen on")
	mode := flag.String("mode", "jwt", "bare or jwt")
	flag.Parse()
	if err := run(*listen, *mode, []byte(os.Getenv("JWT_SECRET"))); err != nil {
		fmt.Fprintln(os.Stderr, "plainjwt:", err)
		os.Exit(1)
	}
}

func run(listen, mode string, secret []byte) error {
	if len(secret) < 32 {
		return fmt.Errorf("JWT_SECRET has %d bytes, want 32 or more", len(secret))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /signup", func(w http.ResponseWriter, r *http.Request) {
		reply(w, map[string]any{"message": "Signup successful", "user": user{"1", r.FormValue("email")}})
	})
	mux.HandleFunc("POST /login", login(secret))
	switch mode {
	case "bare":
		mux.HandleFunc("GET /user/profile", bareProfile())
	case "jwt":
		mux.HandleFunc("GET /user/profile", jwtProfile(secret))
	default:
		return fmt.Errorf("-mode %q: want bare or jwt", mode)
	}
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func login(secret []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
			User: user{"1", r.FormValue("email")},
			RegisteredClaims: jwt.RegisteredClaims{
				IssuedAt:  jwt.NewNumericDate(now),
				ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
			},
		}).SignedString(secret)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		reply(w, map[string]string{"token": token})
	}
}

// bareProfile answers bytes made beforehand, as many as a real profile has: it
// measures net/http, the kernel and the load generator, and nothing else.
func bareProfile() http.HandlerFunc {
	body, err := json.Marshal(profile{welcome, user{"1", "bare@example.com"}, strings.Repeat("x", 240)})
	if err != nil {
		panic(err) // a struct of strings always marshals
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
}

func jwtProfile(secret []byte) http.HandlerFunc {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	key := func(*jwt.Token) (any, error) { return secret, nil }
	return func(w http.ResponseWriter, r *http.Request) {
		raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			unauthorized(w)
			return
		}
		var c claims
		if _, err := parser.ParseWithClaims(raw, &c, key); err != nil {
			unauthorized(w)
			return
		}
		reply(w, profile{welcome, c.User, raw})
	}
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
}
