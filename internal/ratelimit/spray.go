package ratelimit

import (
	"container/list"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"sync"
	"time"

	"golang.org/x/text/unicode/norm"
)

const (
	sprayWindow = time.Hour
	// spraySize is how many wrong passwords are watched at once, and sprayAccounts how many accounts of each are kept.
	spraySize     = 8192
	sprayAccounts = 32
	// sprayClasses are by the number of accounts: 1, 2 and 3, 4 to 7, …, 128 and more.
	sprayClasses = 8
	// sprayWeight is how many times more a failure by a noticed password counts at its address: with 4, five times.
	sprayWeight = 4
)

// SprayConfig is what a Spray is made of.
type SprayConfig struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Accounts is at how many accounts one wrong password is noticed; 0 means 10. It is 2 to 32.
	Accounts int
}

// Spray notices that one wrong password is tried on many accounts, each of which sees too few failures to mind. It is
// safe for concurrent use.
//
// It knows passwords by a keyed fingerprint. The key is random, is nowhere but in this process's memory, and lasts an
// hour; with it goes all that was seen, so that at no time there is anything in memory by which more than the last hour's
// wrong passwords could be guessed at, and nothing ever outside it.
//
// It does not see what other nodes see, what was before the full hour of the process, or passwords that differ a little.
//
// Its memory is bounded, about 4 MB. When it is full, the password with the fewest accounts goes, in powers of two, and of
// these the one that was not tried for the longest. A flood of passwords that are each tried on one account thus drives out
// its own kind alone: to drive out a password that has been tried on k accounts takes 8,191 others that have been tried
// on about as many, each try being one that the throttles let in.
type Spray struct {
	now      func() time.Time
	accounts int

	mu     sync.Mutex
	began  time.Time
	key    []byte
	prints map[[16]byte]*list.Element // of *sprayed
	// classes hold the prints by number of accounts, the one tried last in front.
	classes [sprayClasses]*list.List
}

// sprayed is a wrong password.
type sprayed struct {
	id   [16]byte
	n    int      // accounts seen, counting again one that comes back after sprayAccounts others
	last []uint64 // the last of them, at most sprayAccounts
}

// NewSpray returns a Spray.
func NewSpray(cfg SprayConfig) (*Spray, error) {
	if cfg.Accounts == 0 {
		cfg.Accounts = 10
	}
	if cfg.Accounts < 2 || cfg.Accounts > sprayAccounts {
		return nil, errors.New("ratelimit: a spray is noticed at 2 to 32 accounts")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Spray{now: cfg.Now, accounts: cfg.Accounts}, nil
}

// Failed tells of a password that was wrong for an account, which need not exist. It returns on how many accounts that
// password was wrong within the hour. Noticed is true when they become as many as were configured, and again at each
// doubling: then it is worth a line in the audit log.
func (s *Spray) Failed(password, account string) (n int, noticed bool) {
	password = norm.NFC.String(password)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.key == nil || now.Sub(s.began) >= sprayWindow || now.Before(s.began) {
		s.begin(now)
	}
	id := [16]byte(fingerprint(s.key, "spray-password", password))
	who := binary.BigEndian.Uint64(fingerprint(s.key, "spray-account", account))

	e, found := s.prints[id]
	if !found {
		s.makeRoom()
		e = s.classes[0].PushFront(&sprayed{id: id})
		s.prints[id] = e
	}
	p := e.Value.(*sprayed)
	was := p.class()
	seen := slices.Contains(p.last, who)
	if !seen {
		p.add(who)
	}
	if class := p.class(); class == was {
		s.classes[class].MoveToFront(e)
	} else {
		s.classes[was].Remove(e)
		s.prints[id] = s.classes[class].PushFront(p)
	}
	return p.n, !seen && s.notable(p.n)
}

// Weight returns how many times more a failure counts whose password was wrong on n accounts: what [Entry.Weigh] takes.
func (s *Spray) Weight(n int) int64 {
	if n < s.accounts {
		return 0
	}
	return sprayWeight
}

// notable reports whether n is the number of accounts that is noticed, doubled any number of times.
func (s *Spray) notable(n int) bool {
	return n%s.accounts == 0 && bits.OnesCount(uint(n/s.accounts)) == 1
}

// begin starts an hour.
func (s *Spray) begin(now time.Time) {
	s.began, s.key, s.prints = now, make([]byte, minKey), map[[16]byte]*list.Element{}
	_, _ = rand.Read(s.key) // never fails
	for i := range s.classes {
		s.classes[i] = list.New()
	}
}

// makeRoom drops a print if there are as many as there may be.
func (s *Spray) makeRoom() {
	if len(s.prints) < spraySize {
		return
	}
	for _, class := range s.classes {
		if e := class.Back(); e != nil {
			class.Remove(e)
			delete(s.prints, e.Value.(*sprayed).id)
			return
		}
	}
}

func (p *sprayed) class() int { return min(max(bits.Len(uint(p.n))-1, 0), sprayClasses-1) }

func (p *sprayed) add(who uint64) {
	if len(p.last) < sprayAccounts {
		p.last = append(p.last, who)
	} else {
		p.last[p.n%sprayAccounts] = who
	}
	p.n++
}
