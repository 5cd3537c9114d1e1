package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// value is a typed place in a Config that is set from text, whatever source the text came from.
type value interface {
	set(string) error
	String() string
	kind() string
}

type (
	text        string
	secretValue Secret
	integer     int
	boolean     bool // a switch that is set by its name alone
	toggle      bool // one that is on by default, and so needs its value said
	duration    time.Duration
	instant     time.Time
	list        []string
	prefixes    []netip.Prefix
)

func (v *text) set(s string) error { *v = text(s); return nil }
func (v *text) String() string     { return string(*v) }
func (v *text) kind() string       { return "string" }

func (v *secretValue) set(s string) error {
	if s == "" { // the server would quietly go on without it
		return errors.New("is empty: leave it out, or give it a value")
	}
	*v = secretValue(s)
	return nil
}

func (v *secretValue) String() string { return Secret(*v).String() }
func (v *secretValue) kind() string   { return "secret" }

func (v *integer) set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return errors.New("must be a whole number")
	}
	*v = integer(n)
	return nil
}
func (v *integer) String() string { return strconv.Itoa(int(*v)) }
func (v *integer) kind() string   { return "int" }

func (v *boolean) set(s string) error {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "1":
		*v = true
	case "false", "off", "no", "0":
		*v = false
	default:
		return errors.New("must be true or false")
	}
	return nil
}
func (v *toggle) set(s string) error { return (*boolean)(v).set(s) }
func (v *toggle) String() string {
	if *v {
		return "on"
	}
	return "off"
}
func (v *toggle) kind() string { return "on|off" }

func (v *boolean) String() string { return strconv.FormatBool(bool(*v)) }
func (v *boolean) kind() string   { return "bool" }

// A bare number is refused: whether it means seconds or milliseconds has cost others their token lifetimes.
func (v *duration) set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("must be a duration with a unit, such as 90s, 15m or 12h")
	}
	*v = duration(d)
	return nil
}

func (v *duration) String() string {
	s := time.Duration(*v).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
func (v *duration) kind() string { return "duration" }

func (v *instant) set(s string) error {
	if s == "" {
		*v = instant{}
		return nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		*v = instant(t.UTC())
		return nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		*v = instant(day.AddDate(0, 0, 1)) // the day itself is included
		return nil
	}
	return errors.New("must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z")
}

func (v *instant) String() string {
	if t := time.Time(*v); !t.IsZero() {
		return t.Format(time.RFC3339)
	}
	return ""
}
func (v *instant) kind() string { return "time" }

func (v *list) set(s string) error {
	*v = nil
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*v = append(*v, item)
		}
	}
	return nil
}
func (v *list) String() string { return strings.Join(*v, ",") }
func (v *list) kind() string   { return "list" }

func (v *prefixes) set(s string) error {
	var items list
	_ = items.set(s) // a list takes any text
	*v = nil
	for _, item := range items {
		p, err := parsePrefix(item)
		if err != nil {
			return fmt.Errorf("%q is neither an IP address nor a CIDR range", item)
		}
		*v = append(*v, p)
	}
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err == nil && p.Addr().Is4In6() {
			err = errors.New("an IPv4 range is written as one")
		}
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
}

func (v *prefixes) String() string {
	items := make([]string, len(*v))
	for i, p := range *v {
		items[i] = p.String()
	}
	return strings.Join(items, ",")
}
func (v *prefixes) kind() string { return "list" }
