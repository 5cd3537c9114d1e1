package jwt

import (
	"bytes"
	"testing"
)

// FuzzWrite holds the writer to encoding/json.
func FuzzWrite(f *testing.F) {
	f.Add("name", "plain", int64(1))
	f.Add("na\"me", "<a&b>\u2028\\\x7f", int64(-1))
	f.Add("\xff", "\\ufffd\ufffd", int64(0))
	f.Fuzz(func(t *testing.T, name, text string, n int64) {
		var none []string
		var nothing map[string]string
		values := map[string]any{"text": text, "list": []string{text, name}, "map": map[string]string{name: text, "z": ""}, "n": n, "none": none, "nothing": nothing}
		values[name] = []any{text, true}
		var members []member
		for k, v := range values {
			members = append(members, member{k, v})
		}
		want, wantErr := marshalJSON(values)
		got, err := appendObject(nil, members)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("got %s, %v; want %s, %v", got, err, want, wantErr)
		}
	})
}
