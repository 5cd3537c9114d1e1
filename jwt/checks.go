package jwt

import (
	"context"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// The names of the checks, in their order. They stand in [Error] and in [Check].
const (
	CheckSize      = "size"
	CheckShape     = "shape"
	CheckEncoding  = "encoding"
	CheckHeader    = "header"
	CheckCritical  = "crit"
	CheckFeatures  = "features"
	CheckAlgorithm = "alg"
	CheckKey       = "key"
	CheckSignature = "signature"
	CheckClaims    = "claims"
	CheckType      = "typ"
	CheckExpiry    = "exp"
	CheckNotBefore = "nbf"
	CheckIssuedAt  = "iat"
	CheckAge       = "age"
	CheckIssuer    = "iss"
	CheckAudience  = "aud"
	CheckSubject   = "sub"
	CheckID        = "jti"
)

// maxCandidates bounds how many signatures one token can have us compute, when it does not say which key it is
// for.
const maxCandidates = 16

// stage is what a check needs from those before it, and what an evaluation has got so far.
type stage byte

const (
	gotLength stage = 1 << iota // the token is short enough
	gotShape                    // where its parts are
	gotBytes                    // the parts, decoded
	gotHeader                   // the header, read
	gotAlg                      // an algorithm that exists
	gotKeys                     // the candidates
	gotClaims                   // the claims, read
)

// check is one reason to refuse a token.
type check struct {
	name  string
	needs stage
	gives stage                      // when it passes
	run   func(*evaluation) *verdict // nil when it passes, or has nothing to look at, and nobody asked why
}

// evaluation is one token on its way through the checks.
type evaluation struct {
	v     *Verifier
	ctx   context.Context
	token string
	now   time.Time

	explains bool // every check is to say something, and not only one that fails

	scratch    []byte           // of jws
	room       *strictjson.Room // of doc; nil when a Token is not what comes of it
	parts      parts
	known      *knownHeader // nil when the header is to be read
	jws        jws
	header     *joseHeader // it may be a known one, which does not change
	candidates []*Key
	key        *Key
	doc        document

	iss, sub, jti string
	aud           []string
	one           [1]string // of aud, as it mostly is
	exp, nbf, iat time.Time
}

// evaluations are those of Verify. Nothing that it returns refers to one, or to its scratch.
var evaluations = sync.Pool{New: func() any { return &evaluation{room: new(strictjson.Room)} }}

// maxScratch is the largest that is kept. Nearly all are far smaller.
const maxScratch = 2 * DefaultMaxBytes

// release gives e back for the next token, with nothing of this one.
func (e *evaluation) release() {
	scratch := e.scratch
	clear(scratch)
	if cap(scratch) > maxScratch {
		scratch = nil
	}
	*e = evaluation{scratch: scratch[:0], room: e.room}
	evaluations.Put(e)
}

// The checks that need no expectation. [DecodeUnverified] makes these alone.
var (
	checkSize     = check{CheckSize, 0, gotLength, (*evaluation).checkSize}
	checkShape    = check{CheckShape, gotLength, gotShape, (*evaluation).checkShape}
	checkEncoding = check{CheckEncoding, gotShape, gotBytes, (*evaluation).checkEncoding}
	checkHeader   = check{CheckHeader, gotBytes, gotHeader, (*evaluation).checkHeader}
	checkClaims   = check{CheckClaims, gotBytes, gotClaims, (*evaluation).checkClaims}
)

// allChecks is the one list that Verify and Explain go through. Size and shape come before any work; nothing
// is read from the claims until the signature is known to be right, so that a forged token learns nothing
// about them.
var allChecks = [...]check{
	checkSize,
	checkShape,
	checkEncoding,
	checkHeader,
	{CheckCritical, gotHeader, 0, (*evaluation).checkCritical},
	{CheckFeatures, gotHeader, 0, (*evaluation).checkFeatures},
	{CheckAlgorithm, gotHeader, gotAlg, (*evaluation).checkAlgorithm},
	{CheckKey, gotAlg, gotKeys, (*evaluation).checkKey},
	{CheckSignature, gotKeys, 0, (*evaluation).checkSignature},
	checkClaims,
	{CheckType, gotHeader, 0, (*evaluation).checkType},
	{CheckExpiry, gotClaims, 0, (*evaluation).checkExpiry},
	{CheckNotBefore, gotClaims, 0, (*evaluation).checkNotBefore},
	{CheckIssuedAt, gotClaims, 0, (*evaluation).checkIssuedAt},
	{CheckAge, gotClaims, 0, (*evaluation).checkAge},
	{CheckIssuer, gotClaims, 0, (*evaluation).checkIssuer},
	{CheckAudience, gotClaims, 0, (*evaluation).checkAudience},
	{CheckSubject, gotClaims, 0, (*evaluation).checkSubject},
	{CheckID, gotClaims, 0, (*evaluation).checkID},
}

func (e *evaluation) checkSize() *verdict {
	if len(e.token) > e.v.max {
		return fail(ErrTooLarge, "the token is longer than allowed")
	}
	return e.pass("not longer than allowed")
}

func (e *evaluation) checkShape() (vd *verdict) {
	if e.parts, vd = scanShape(e.token); vd != nil {
		return vd
	}
	return e.pass("three parts")
}

func (e *evaluation) checkEncoding() (vd *verdict) {
	e.known = e.v.headers.find(e.token[:e.parts.first])
	if e.jws, vd = e.parts.decode(e.token, e.known != nil, &e.scratch); vd != nil {
		return vd
	}
	return e.pass("canonical, so the token has one spelling")
}

func (e *evaluation) checkHeader() *verdict {
	if e.known != nil {
		e.header = &e.known.header
	} else {
		h, vd := parseHeader(string(e.jws.header))
		if vd != nil {
			return vd
		}
		e.header = &h
	}
	return e.pass("a JSON object without repeated names")
}

func (e *evaluation) checkClaims() (vd *verdict) {
	if e.doc, vd = parseClaims(e.room, string(e.jws.payload)); vd != nil { // the copy is what a Token keeps
		return vd
	}
	return e.pass("a JSON object without repeated names")
}

// checkCritical refuses "crit" whatever it lists: this package understands no extension, so a well-formed list
// names one that is not understood, and anything else is malformed (RFC 7515 section 4.1.11).
func (e *evaluation) checkCritical() *verdict {
	if e.header.critical {
		return fail(ErrCritical, "crit is present, and no extension is understood here")
	}
	return e.pass("no crit")
}

// checkFeatures refuses headers that would change what is signed, or bring the key along.
func (e *evaluation) checkFeatures() *verdict {
	if e.header.feature != "" {
		return fail(ErrUnsupported, e.header.feature)
	}
	return e.pass("no key or address in the header, no encoding of its own")
}

// checkAlgorithm comes before the key set is asked: "none" and invented names are not worth a lookup.
func (e *evaluation) checkAlgorithm() *verdict {
	if !Algorithm(e.header.Algorithm).Supported() {
		return fail(ErrAlgorithm, "alg is no signature algorithm that is supported")
	}
	return e.pass("a supported signature algorithm")
}

// checkKey asks the key set, and keeps the keys that are bound to the token's algorithm and do not have
// another ID than the token's, whatever the set returned.
func (e *evaluation) checkKey() *verdict {
	keys, err := e.v.keys.Keys(e.ctx, e.header.Header)
	if err != nil {
		return &verdict{status: Fail, kind: ErrKeysUnavailable, text: "the key set failed", more: &details{cause: err}}
	}
	named, fit := 0, 0
	for _, k := range keys {
		if named += b2i(k.named(e.header.KeyID)); k.fits(e.header.Header) {
			fit++
		}
	}
	switch {
	case named == 0:
		return fail(ErrUnknownKey, "no key has the token's kid")
	case fit == 0:
		return fail(ErrAlgorithm, "the key is bound to another algorithm than the token's")
	case fit > maxCandidates:
		return fail(ErrUnknownKey, "too many keys could be the one: the token must have a kid")
	}
	e.candidates = keys
	return e.pass("a key is bound to the token's algorithm")
}

func (e *evaluation) checkSignature() *verdict {
	for _, k := range e.candidates {
		if k.fits(e.header.Header) && k.verify(e.jws.input, e.jws.signature) {
			e.key = k
			return e.pass("made with the key")
		}
	}
	return fail(ErrSignature, "it is not the key's signature of this token")
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
