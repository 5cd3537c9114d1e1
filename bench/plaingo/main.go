// Command plaingo is what a competent Go programmer writes in an afternoon:
// sign-up, login and a protected profile on net/http, x/crypto/bcrypt and
// golang-jwt, the users in memory. It hashes in the handler, as many at a time
// as there are requests. It is a row of the benchmark and nothing else.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/bcrypt"
)

const cost = 10 // bcrypt's, as in the other rows

type user struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

type record struct {
	user
	hash []byte
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

type app struct {
	secret []byte
	parser *jwt.Parser
	decoy  []byte // is compared with when there is no such user

	mu    sync.RWMutex
	users map[string]record // by address
}

func main() {
	listen := flag.String("listen", "127.0.0.1:3001", "`address` to listen on")
	flag.Parse()
	if err := run(*listen, []byte(os.Getenv("JWT_SECRET"))); err != nil {
		fmt.Fprintln(os.Stderr, "plaingo:", err)
		os.Exit(1)
	}
}

func run(listen string, secret []byte) error {
	if len(secret) < 32 {
		return fmt.Errorf("JWT_SECRET has %d bytes, want 32 or more", len(secret))
	}
	decoy, err := bcrypt.GenerateFromPassword([]byte("nobody's"), cost)
	if err != nil {
		return err
	}
	a := &app{
		secret: secret,
		parser: jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired()),
		decoy:  decoy,
		users:  map[string]record{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /signup", a.signUp)
	mux.HandleFunc("POST /login", a.logIn)
	mux.HandleFunc("GET /user/profile", a.showProfile)
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func (a *app) signUp(w http.ResponseWriter, r *http.Request) {
	email, password := credentials(r)
	if email == "" || password == "" {
		http.Error(w, "email and password are required", http.StatusBadRequest)
		return
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	a.mu.Lock()
	_, taken := a.users[email]
	u := user{strconv.Itoa(len(a.users) + 1), email}
	if !taken {
		a.users[email] = record{u, hash}
	}
	a.mu.Unlock()
	if taken {
		http.Error(w, "taken", http.StatusConflict)
		return
	}
	reply(w, map[string]any{"message": "Signup successful", "user": u})
}

func (a *app) logIn(w http.ResponseWriter, r *http.Request) {
	email, password := credentials(r)
	a.mu.RLock()
	known, ok := a.users[email]
	a.mu.RUnlock()
	hash := known.hash
	if !ok {
		hash = a.decoy
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !ok {
		unauthorized(w)
		return
	}
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		User: known.user,
		RegisteredClaims: jwt.RegisteredClaims{
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(time.Hour)),
		},
	}).SignedString(a.secret)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, map[string]string{"token": token})
}

func credentials(r *http.Request) (email, password string) {
	return strings.ToLower(r.PostFormValue("email")), r.PostFormValue("password")
}

func (a *app) showProfile(w http.ResponseWriter, r *http.Request) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		unauthorized(w)
		return
	}
	var c claims
	if _, err := a.parser.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return a.secret, nil }); err != nil {
		unauthorized(w)
		return
	}
	reply(w, profile{"You made it to the secure route", c.User, raw})
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "Unauthorized", http.StatusUnauthorized)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
}
