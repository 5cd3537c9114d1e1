package jwt

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// The seconds since 1970 that a NumericDate may have: up to the end of the year 9999.
const (
	minDate = 1
	maxDate = 253402300799
)

// maxDateDigits bounds the text of a NumericDate, which may be written with a fraction and an exponent.
const maxDateDigits = 64

type dateStatus byte

const (
	dateOK dateStatus = iota
	dateMalformed
	dateTooSmall // zero, or negative
	dateTooLarge
)

// numericDate reads a NumericDate (RFC 7519 section 2) exactly: through float64, 1e308 would become a time long
// past on one machine and far ahead on another. What is finer than a nanosecond is cut off.
func numericDate(v strictjson.Value) (time.Time, dateStatus) {
	if v.Kind != strictjson.Number || len(v.Raw) > maxDateDigits {
		return time.Time{}, dateMalformed
	}
	if n, ok := wholeNumber(v.Raw); ok && n <= maxDate {
		return time.Unix(n, 0).UTC(), dateOK
	}
	text := v.Raw
	negative := text[0] == '-'
	if negative {
		text = text[1:]
	}
	digits, point := decimal(text)
	seconds, status := wholeSeconds(digits, point)
	switch {
	case negative || status == dateOK && seconds < minDate:
		return time.Time{}, dateTooSmall
	case status != dateOK || seconds > maxDate:
		return time.Time{}, dateTooLarge
	}
	return time.Unix(seconds, nanoseconds(digits, point)).UTC(), dateOK
}

// wholeNumber reads what nearly every date is: up to twelve digits, not beginning with a zero.
func wholeNumber(text string) (int64, bool) {
	if len(text) > 12 || text[0] == '0' {
		return 0, false
	}
	var n int64
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// decimal returns the digits of a JSON number without sign, leading zeros and point, and how many of them stand
// before the point: negative when zeros are to be put there first.
func decimal(text string) (string, int) {
	exp := 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var err error
		exp, err = strconv.Atoi(text[i+1:])
		if err != nil || exp > math.MaxInt32 || exp < math.MinInt32 {
			exp = math.MaxInt32
			if text[i+1] == '-' {
				exp = -exp
			}
		}
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	point := len(whole) + exp
	digits := whole + fraction
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
		point--
	}
	return digits, point
}

func wholeSeconds(digits string, point int) (int64, dateStatus) {
	if len(digits) == 0 || point <= 0 {
		return 0, dateOK
	}
	if point > 12 { // maxDate has 12 digits, and digits does not begin with a zero
		return 0, dateTooLarge
	}
	var n int64
	for i := range point {
		n = 10*n + digitAt(digits, i)
	}
	return n, dateOK
}

// nanoseconds is only asked for a date of at least one second, so that point is positive.
func nanoseconds(digits string, point int) int64 {
	var n int64
	for i := range 9 {
		n = 10*n + digitAt(digits, point+i)
	}
	return n
}

func digitAt(digits string, i int) int64 {
	if i >= len(digits) {
		return 0
	}
	return int64(digits[i] - '0')
}
