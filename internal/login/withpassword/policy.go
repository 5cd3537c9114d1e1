package withpassword

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/password"
	"github.com/countersign-auth/countersign/problem"
)

// ErrBlocklist says that a password could not be looked up in the list of refused ones, so that nobody knows whether it
// is good.
var ErrBlocklist = errors.New("withpassword: the list of refused passwords cannot be read")

// PolicyConfig is what a Policy is made of.
type PolicyConfig struct {
	// MinLength is the least number of characters, in code points after NFC.
	MinLength int
	// ServiceName is what users call the service. Empty means the name in Issuer's host.
	ServiceName string
	// Issuer is the URL of the server.
	Issuer string
	// BlocklistFile is a file of more passwords to refuse; empty means none. See [NewPolicy].
	BlocklistFile string
}

// Policy decides which new passwords are taken. It is safe for concurrent use.
//
// It has no rules of composition: they make people choose what guessers try first (NIST SP 800-63B-4, section 3.1.1.2).
type Policy struct {
	minLength int
	service   []string
	blocklist blocklist
}

// NewPolicy returns a Policy, which the caller closes. The blocklist file is text: either the SHA-1 hashes of Have I
// Been Pwned in ascending order, which is then searched on the disk, or one password a line, which is read by Load or
// else by the first Check. Its form is looked at here.
func NewPolicy(cfg PolicyConfig) (*Policy, error) {
	if cfg.MinLength < 1 {
		return nil, fmt.Errorf("withpassword: a least length of %d", cfg.MinLength)
	}
	p := &Policy{minLength: cfg.MinLength, service: serviceNames(cfg.ServiceName, cfg.Issuer)}
	if cfg.BlocklistFile != "" {
		list, err := openBlocklist(cfg.BlocklistFile)
		if err != nil {
			return nil, fmt.Errorf("password.blocklist_file: %s: %w", cfg.BlocklistFile, err)
		}
		p.blocklist = list
	}
	return p, nil
}

// Load reads a blocklist that is kept in memory. A server calls it at its start, so that a file that is no good shows
// there and no user waits for it; a command that sets no password does without.
func (p *Policy) Load() error {
	if p.blocklist == nil {
		return nil
	}
	if err := p.blocklist.load(); err != nil {
		return fmt.Errorf("password.blocklist_file: %w", err)
	}
	return nil
}

// Close closes the blocklist.
func (p *Policy) Close() error {
	if p.blocklist == nil {
		return nil
	}
	return p.blocklist.Close()
}

// Check returns all that is wrong with a new password of the user with that address, which is zero when it is not
// known. No text repeats the password. An [ErrBlocklist] is a technical fault: the password is neither good nor bad.
func (p *Policy) Check(pw string, address login.Address) (fields []problem.Field, err error) {
	bad := func(code, detail string) {
		fields = append(fields, problem.Field{Name: "password", Code: code, Detail: detail})
	}
	switch err := password.Check(pw); {
	case errors.Is(err, password.ErrTooLong):
		bad("too_long", fmt.Sprintf("A password has at most %d bytes.", password.MaxBytes))
		return fields, nil
	case errors.Is(err, password.ErrNUL):
		bad("nul", "A password has no NUL character.")
		return fields, nil
	case errors.Is(err, password.ErrEncoding):
		bad("encoding", "A password is text in UTF-8.")
		return fields, nil
	}
	normal := norm.NFC.String(pw)
	if utf8.RuneCountInString(normal) < p.minLength {
		bad("too_short", fmt.Sprintf("A password has at least %d characters.", p.minLength))
		return fields, nil // a longer one is another one
	}
	folded := fold(normal)
	if ownAddress(folded, address) {
		bad("contains_email", "A password does not contain the user's e-mail address, and is more than the part of it before the @.")
	}
	if namesService(folded, p.service) {
		bad("contains_service", "A password does not contain the name of this service.")
	}
	code, detail, err := p.listed(normal, folded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBlocklist, err)
	}
	if code != "" {
		bad(code, detail)
	}
	return fields, nil
}

// listed returns why a password is refused that others have chosen before; nothing when none is known to.
func (p *Policy) listed(normal, folded string) (code, detail string, err error) {
	switch {
	case isCommon(folded):
		return "common", "This is one of the most common passwords, which are guessed first.", nil
	case isTwoCommon(folded):
		return "common", "This is two of the most common passwords, one after the other, which is guessed early.", nil
	case p.blocklist == nil:
		return "", "", nil
	}
	found, err := p.blocklist.holds(normal)
	if err != nil || !found {
		return "", "", err
	}
	return "breached", "This password is on a list of those that have become known, for example in a data breach elsewhere.", nil
}
