package app_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/testkit"
)

// signUp signs up by JSON.
func signUp(t *testing.T, s *testkit.Server, email, password string) *testkit.Response {
	t.Helper()
	body, err := json.Marshal(map[string]string{"email": email, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	return s.JSON(t, "/signup", string(body))
}

// codes returns what an answer says is wrong, as field:code.
func codes(res *testkit.Response) string {
	var doc struct {
		Errors []struct{ Field, Code, Detail string }
	}
	_ = json.Unmarshal([]byte(res.Body), &doc)
	var all []string
	for _, e := range doc.Errors {
		if e.Detail == "" {
			return "no reason for " + e.Code
		}
		all = append(all, e.Field+":"+e.Code)
	}
	return strings.Join(all, " ")
}

func wantRefused(t *testing.T, s *testkit.Server, email, password, code string) {
	t.Helper()
	for _, res := range []*testkit.Response{signUp(t, s, email, password), s.Form(t, "/signup", "email", email, "password", password)} {
		if res.Status != http.StatusUnprocessableEntity || res.Code() != "invalid_fields" || codes(res) != code {
			t.Errorf("%q: %d %q, want %q", password, res.Status, codes(res), code)
		}
	}
}

// wantAccepted also logs in, because a password that is taken is to be taken as it is.
func wantAccepted(t *testing.T, s *testkit.Server, email, password string) {
	t.Helper()
	for _, res := range []*testkit.Response{signUp(t, s, email, password), s.Form(t, "/signup", "email", "form."+email, "password", password)} {
		if res.Status != http.StatusOK {
			t.Errorf("%q: signup %d %s", password, res.Status, res.Body)
		}
	}
	if res := s.Form(t, "/login", "email", email, "password", password); res.Status != http.StatusOK {
		t.Errorf("%q: login %d", password, res.Status)
	}
}

func TestNewPasswordsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "issuer=https://auth.tidewater.co.uk")
	named := testkit.Start(t, "issuer=https://auth.tidewater.co.uk", "service_name=Blue Heron")
	short := testkit.Start(t, "service_name=Go", "password.min_length=2")
	for _, c := range []struct {
		s              *testkit.Server
		password, code string
	}{
		{s, "1234567", "password:too_short"},
		{s, strings.Repeat("\U0001F600", 7), "password:too_short"},
		{s, strings.Repeat("e\u0301", 7), "password:too_short"},
		{s, "       ", "password:too_short"},
		{s, strings.Repeat("x", 1025), "password:too_long"},
		{s, testkit.Canary + "\x00", "password:nul"},
		{s, "12345678", "password:common"},
		{s, "PassWord", "password:common"},
		{s, "QWERTYUIOP", "password:common"},
		{s, "passwordpassword", "password:common"},
		{s, "password12345678", "password:common"},
		{s, "constance.w@example.com", "password:contains_email"},
		{s, "CONSTANCE.W@EXAMPLE.COM", "password:contains_email"},
		{s, "see " + testkit.Canary + " Constance.W@Example.com", "password:contains_email"},
		{s, "constance.w", "password:contains_email"},
		{s, "Constance.W1!", "password:contains_email"},
		{s, "123constance.w", "password:contains_email"},
		{s, testkit.Canary + " of TideWater", "password:contains_service"},
		{s, "tidewater", "password:contains_service"},
		{s, "tidewater constance.w@example.com", "password:contains_email password:contains_service"},
		{named, testkit.Canary + " blueheron", "password:contains_service"},
		{named, testkit.Canary + " BLUE HERON", "password:contains_service"},
		{named, testkit.Canary + " blue-heron", "password:contains_service"},
		{short, "gO", "password:contains_service"},
	} {
		wantRefused(t, c.s, "Constance.W@example.com", c.password, c.code)
	}
	if res := s.Form(t, "/signup", "email", "nobody", "password", "12345678"); codes(res) != "email:format password:common" {
		t.Errorf("not every field is named: %s", res.Body)
	}
	for _, server := range []*testkit.Server{s, named, short} {
		users, err := server.App.Store.ListUsers(t.Context(), "", 10)
		if err != nil || len(users) != 0 {
			t.Errorf("%d users (%v): a refused one was made", len(users), err)
		}
	}
}

func TestNewPasswordsAccepted(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true", "issuer=https://auth.tidewater.co.uk")
	named := testkit.Start(t, "limits.insecure_disabled=true", "issuer=https://auth.tidewater.co.uk", "service_name=Go")
	local := testkit.Start(t, "limits.insecure_disabled=true")
	for i, c := range []struct {
		s        *testkit.Server
		password string
	}{
		{s, "correct-horse"},
		{s, "        "},
		{s, " " + testkit.Canary + " "},
		{s, strings.Repeat("\U0001F600", 8)},
		{s, strings.Repeat("\U0001F600", 64)},
		{s, strings.Repeat("e\u0301", 8)},
		{s, "\u202e" + testkit.Canary + "\u202c"},
		{s, "aaaaaaab"},
		{s, "123456789012345678x"},
		{s, "my password is this"},
		{s, "constance10@example.org"}, // nobody's address here
		{s, "example.com"},
		{s, "auth.co.uk"},
		{s, "water tide"},
		{named, "let it go, my friend"},
		{named, "tidewater blues"}, // the name that is set counts, and not the issuer's
		{local, "localhost"},
		{local, "127.0.0.1"},
		{local, "countersign"},
	} {
		wantAccepted(t, c.s, fmt.Sprintf("constance%d@example.com", i), c.password)
	}
	wantAccepted(t, s, "constance@example.com", "constance1234") // four characters more than the local part

	// The two forms of a letter are one password.
	composed, decomposed := "caf\u00e9 "+testkit.Canary, "cafe\u0301 "+testkit.Canary
	wantAccepted(t, s, "zoe@example.com", decomposed)
	if res := s.Form(t, "/login", "email", "form.zoe@example.com", "password", composed); res.Status != http.StatusOK {
		t.Errorf("login with the other form: %d", res.Status)
	}
}

func TestPolicyHoldsForSetPassword(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	user, err := s.App.Store.User(t.Context(), s.SignUp(t, "Constance.W@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	for password, code := range map[string]string{
		"short": "too_short", "iloveyou": "common", "my constance.w@example.com": "contains_email", "constance.w99": "contains_email",
	} {
		var invalid *withpassword.InvalidError
		err := s.App.Passwords.SetPassword(t.Context(), user, password)
		if !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Fields[0].Code != code {
			t.Errorf("%q: %v, want %s", password, err, code)
		}
	}
	s.LogIn(t, "constance.w@example.com")
	if err := s.App.Passwords.SetPassword(t.Context(), user, "another "+testkit.Canary); err != nil {
		t.Error(err)
	}
}

// breachedFile writes the hashes of 50,000 passwords, "breached 0" and so on, as Have I Been Pwned does. It returns the
// passwords in the order of their hashes.
func breachedFile(t *testing.T) (path string, passwords []string) {
	t.Helper()
	type row struct {
		hash     [sha1.Size]byte
		password string
	}
	rows := make([]row, 50_000)
	for i := range rows {
		rows[i].password = fmt.Sprintf("breached %d", i)
		rows[i].hash = sha1.Sum([]byte(rows[i].password))
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	var b bytes.Buffer
	for i, r := range rows {
		fmt.Fprintf(&b, "%X:%d\r\n", r.hash, i*i+1)
		passwords = append(passwords, r.password)
	}
	path = filepath.Join(t.TempDir(), "pwnedpasswords.txt")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, passwords
}

func TestBlocklistOfHashes(t *testing.T) {
	t.Parallel()
	path, passwords := breachedFile(t)
	s := testkit.Start(t, "password.blocklist_file="+path)
	n := len(passwords)
	for _, i := range []int{0, 1, 91, n / 3, n / 2, n - 2, n - 1} {
		wantRefused(t, s, "mike@example.com", passwords[i], "password:breached")
	}
	wantRefused(t, s, "mike@example.com", "12345678", "password:common")
	for i := range 5 { // their hashes fall between those of the file, somewhere
		wantAccepted(t, s, fmt.Sprintf("mike%d@example.com", i), fmt.Sprintf("breached not %d", i))
	}
	wantAccepted(t, s, "upper@example.com", strings.ToUpper(passwords[7])) // the file knows passwords by their case

	// A list that is gone turns people away instead of letting everything pass.
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	res := signUp(t, s, "late@example.com", testkit.Password)
	if res.Status != http.StatusServiceUnavailable || res.Code() != "password_check_unavailable" || res.Header.Get("Retry-After") == "" {
		t.Errorf("a list that cannot be read: %d %s", res.Status, res.Body)
	}
	if !strings.Contains(s.Log(), "has become shorter") {
		t.Error("the log does not say why")
	}
	if res := s.Form(t, "/login", "email", "mike0@example.com", "password", "breached not 0"); res.Status != http.StatusOK {
		t.Errorf("login without the list: %d", res.Status)
	}
}

func TestBlocklistOfWords(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "words.txt")
	if err := os.WriteFile(path, []byte("first of the list\r\n\r\nMiddle Of The List\r\n\xe9\xe8\xe0 in Latin-1\r\ncafe\u0301 at the end"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t, "password.blocklist_file="+path)
	for _, password := range []string{"first of the list", "middle of the LIST", "caf\u00e9 at the end"} {
		wantRefused(t, s, "mike@example.com", password, "password:breached")
	}
	wantAccepted(t, s, "mike@example.com", "first of the lis")
	wantAccepted(t, s, "anna@example.com", "first of the list ")
}

// TestBadBlocklistStopsTheServer also holds that a command which opens the services reads no list.
func TestBadBlocklistStopsTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hash := strings.Repeat("0123456789", 4)
	for _, c := range []struct {
		path, want string
		commands   bool // only the server reads as far
	}{
		{filepath.Join(dir, "missing"), "no such file", false},
		{dir, "is not a file", false},
		{file("empty", ""), "is empty", false},
		{file("packed", "\x1f\x8b\x08\x00"), "must be unpacked", false},
		{file("unordered", "A"+hash[1:]+":1\r\n"+hash+":1\r\n"), "ascending", false},
		{file("mixed", hash+":1\r\npassword\r\n"), "40 hexadecimal", false},
		{file("long", "password\n"+strings.Repeat("x", 100_000)), "a line of more than", true},
	} {
		cfg, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_DATA=" + t.TempDir(), "COUNTERSIGN_PASSWORD_BLOCKLIST_FILE=" + c.path}})
		if err != nil {
			t.Fatal(err)
		}
		a, err := app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), nil)
		if c.commands {
			if err != nil {
				t.Errorf("%s: %v", c.path, err)
				continue
			}
			_, err = a.Server(t.Context())
			if closeErr := a.Close(); closeErr != nil {
				t.Error(closeErr)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "password.blocklist_file: "+c.path) {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
}
