package jwk

import (
	"net/http"
	"testing"
	"time"
)

func TestFreshness(t *testing.T) {
	t.Parallel()
	const least, most = 30 * time.Second, time.Hour
	tests := []struct {
		control, age string
		want         time.Duration
	}{
		{"", "", 5 * time.Minute},
		{"public", "", 5 * time.Minute},
		{"public, max-age=300, must-revalidate", "", 5 * time.Minute},
		{"max-age=600", "", 10 * time.Minute},
		{"max-age=600", "240", 6 * time.Minute},
		{"max-age=600", "601", least},
		{"max-age=600", "-1", 10 * time.Minute},
		{"Max-Age = \"600\"", "", 10 * time.Minute},
		{"max-age=600, max-age=60", "", time.Minute},
		{"max-age=60, max-age=600", "", time.Minute},
		{"max-age=600, no-store", "", least},
		{`x="a, no-store, \", max-age=1", max-age=600`, "", 10 * time.Minute},
		{"no-cache", "", least},
		{"max-age=0", "", least},
		{"max-age", "", least},
		{"max-age=-5", "", least},
		{"max-age=1e9", "", least},
		{"max-age=99999999999999999999", "", most},
		{"s-maxage=60", "", 5 * time.Minute},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.control != "" {
			h.Set("Cache-Control", tt.control)
		}
		if tt.age != "" {
			h.Set("Age", tt.age)
		}
		if got := freshness(h, least, most); got != tt.want {
			t.Errorf("%q, Age %q: %v, want %v", tt.control, tt.age, got, tt.want)
		}
	}
}

// FuzzFreshness: no header makes it panic, or leaves the bounds.
func FuzzFreshness(f *testing.F) {
	f.Add("public, max-age=300, must-revalidate", "12")
	f.Add(`x="a, no-store, \", max-age=1", max-age="600"`, "99999999999999999999")
	f.Add(`max-age="\`, "")
	f.Fuzz(func(t *testing.T, control, age string) {
		h := http.Header{"Cache-Control": {control}, "Age": {age}}
		if got := freshness(h, time.Second, time.Hour); got < time.Second || got > time.Hour {
			t.Errorf("%v", got)
		}
	})
}
