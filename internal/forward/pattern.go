package forward

import (
	"slices"
	"strings"
)

// hosts says which hosts a rule is for.
type hosts struct {
	name string // "" for any
	// below says that the rule is for the hosts below name, and not for name itself.
	below bool
}

func (h hosts) match(host string) bool {
	switch {
	case h.name == "":
		return true
	case h.below:
		return len(host) > len(h.name)+1 && strings.HasSuffix(host, h.name) && host[len(host)-len(h.name)-1] == '.'
	}
	return host == h.name
}

// covers reports whether h has every host that other has.
func (h hosts) covers(other hosts) bool {
	switch {
	case h.name == "" || h == other:
		return true
	case other.name == "" || !h.below:
		return false
	}
	return h.match(other.name)
}

// meets reports whether there is a host that both have.
func (h hosts) meets(other hosts) bool {
	return h.covers(other) || other.covers(h)
}

func (h hosts) String() string {
	if h.below {
		return "*." + h.name
	}
	return h.name
}

// one is the segment of a pattern that stands for any one segment.
const one = "*"

// pattern is a path of a rule in one of the forms of a [spelling].
type pattern struct {
	segments []string
	// below says that the pattern has all below it, too.
	below bool
}

func (p *pattern) match(path string) bool {
	rest, more := path[1:], true
	for _, want := range p.segments {
		if !more {
			return false
		}
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if want == one && segment == "" || want != one && want != segment {
			return false
		}
	}
	return p.below || !more
}

// covers reports whether p has every path that other has.
func (p *pattern) covers(other *pattern) bool {
	if len(p.segments) > len(other.segments) || len(p.segments) < len(other.segments) && !p.below || other.below && !p.below {
		return false
	}
	for i, segment := range p.segments {
		if theirs := other.segments[i]; segment != theirs && (segment != one || theirs == "") {
			return false
		}
	}
	return true
}

// meets reports whether there is a path that both have.
func (p *pattern) meets(other *pattern) bool {
	if len(p.segments) > len(other.segments) {
		p, other = other, p
	}
	if len(p.segments) < len(other.segments) && !p.below {
		return false
	}
	for i, segment := range p.segments {
		if theirs := other.segments[i]; segment != theirs && (segment != one || theirs == "") && (theirs != one || segment == "") {
			return false
		}
	}
	return true
}

// methods are the methods of a rule; none means all.
type methods []string

func (m methods) match(method string) bool {
	return len(m) == 0 || slices.Contains(m, method) || method == "HEAD" && slices.Contains(m, "GET")
}
