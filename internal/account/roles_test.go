package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/account"
)

func TestAddRoles(t *testing.T) {
	t.Parallel()
	var full []string
	for i := range account.MaxRoles {
		full = append(full, fmt.Sprintf("r%02d", i))
	}
	for _, c := range []struct {
		have, more []string
		want       string // empty for an error
	}{
		{nil, []string{"b", "a", "b"}, "a b"},
		{[]string{"m"}, []string{"z", "a:read_write.all-x"}, "a:read_write.all-x m z"},
		{[]string{"m"}, []string{"m"}, "m"},
		{nil, []string{strings.Repeat("x", 64)}, strings.Repeat("x", 64)},
		{nil, []string{strings.Repeat("x", 65)}, ""},
		{nil, []string{""}, ""},
		{nil, []string{"Admin"}, ""},
		{nil, []string{"a b"}, ""},
		{nil, []string{"a,b"}, ""},
		{nil, []string{"a\"b"}, ""},
		{nil, []string{"a\nb"}, ""},
		{nil, []string{"ä"}, ""},
		{full, []string{"r00"}, strings.Join(full, " ")},
		{full, []string{"another"}, ""},
		{full[1:], []string{"r00"}, strings.Join(full, " ")},
	} {
		before := slices.Clone(c.have)
		got, err := account.AddRoles(c.have, c.more...)
		if strings.Join(got, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q and %q: %q, %v", c.have, c.more, got, err)
		}
		if !slices.Equal(before, c.have) {
			t.Errorf("%q became %q", before, c.have)
		}
	}
}
