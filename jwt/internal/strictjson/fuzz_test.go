package strictjson_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// FuzzScanner holds the scanner against encoding/json: what it accepts, encoding/json accepts and reads the
// same; what encoding/json refuses, it refuses.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":{"b":[1,2,{"c":null}]},"d":"\u00e9\ud83d\ude00"}`, `{"a":1,"a":2}`,
		`{"a":1,"\u0061":2}`, "\xef\xbb\xbf{}", `[]`, `null`, `{"a":-0.5e+10}`, `{"a":01}`, `{"a":"\ud800"}`,
		`{"a":"\udc00\ud800"}`, `{"a":tru}`, `{"a":1}x`, "{\"a\":\"\x01\"}", "{\"\xff\":1}", `{"a":1,}`,
		`{"a":[1,]}`, `{,}`, ` { "a" : [ ] , "b" : { } } `, `{"a":"\/\b\f\n\r\t\"\\"}`, `{"a":"\x"}`, `{"":""}`,
	} {
		f.Add(seed)
	}
	limits := strictjson.Limits{Depth: 50, Members: 1000}
	f.Fuzz(func(t *testing.T, data string) {
		members, err := strictjson.Parse(data, limits)
		var want map[string]json.RawMessage
		jsonErr := json.Unmarshal([]byte(data), &want)
		if err != nil {
			return
		}
		if jsonErr != nil || want == nil {
			t.Fatalf("accepts %q, encoding/json does not: %v", data, jsonErr)
		}
		count := 0
		for name, v := range members.All() {
			raw, ok := want[name]
			if !ok || string(raw) != v.Raw {
				t.Fatalf("member %q of %q is %q, encoding/json says %q", name, data, v.Raw, raw)
			}
			if found, ok := members.Find(name); !ok || found != v {
				t.Fatalf("member %q of %q is found as %q (%v)", name, data, found.Raw, ok)
			}
			compare(t, v)
			count++
		}
		if len(want) != count {
			t.Fatalf("%q has %d members, encoding/json finds %d", data, count, len(want))
		}
	})
}

// compare walks a value and holds every part of it against encoding/json.
func compare(t *testing.T, v strictjson.Value) {
	t.Helper()
	var want any
	if err := json.Unmarshal([]byte(v.Raw), &want); err != nil {
		t.Logf("%q: %v", v.Raw, err) // a number that float64 cannot hold
		if v.Kind != strictjson.Number {
			return
		}
		want = 0.0
	}
	switch want := want.(type) {
	case string:
		if got, ok := v.Text(); !ok || got != want {
			t.Fatalf("text of %q is %q, want %q", v.Raw, got, want)
		}
	case []any:
		list, ok := v.Elements()
		if !ok || len(list) != len(want) {
			t.Fatalf("%q has %d elements, want %d", v.Raw, len(list), len(want))
		}
		texts, areTexts := v.Strings()
		for i, e := range list {
			compare(t, e)
			if text, ok := e.Text(); areTexts && (!ok || texts[i] != text) {
				t.Fatalf("element %d of %q is %q", i, v.Raw, texts[i])
			}
		}
		if anyOther := slices.ContainsFunc(list, func(e strictjson.Value) bool { return e.Kind != strictjson.String }); areTexts == anyOther || len(texts) > len(list) {
			t.Fatalf("the texts of %q are %q, %v", v.Raw, texts, areTexts)
		}
	case map[string]any:
		members, ok := v.Members()
		count := 0
		for name, inner := range members.All() {
			if one, ok := v.Member(name); !ok || one != inner {
				t.Fatalf("member %q of %q is %q (%v)", name, v.Raw, one.Raw, ok)
			}
			compare(t, inner)
			count++
		}
		if !ok || count != len(want) {
			t.Fatalf("%q has %d members, want %d", v.Raw, count, len(want))
		}
	case float64:
		if v.Kind != strictjson.Number {
			t.Fatalf("%q is no number", v.Raw)
		}
	case bool:
		if v.Kind != strictjson.Bool {
			t.Fatalf("%q is no bool", v.Raw)
		}
	case nil:
		if v.Kind != strictjson.Null {
			t.Fatalf("%q is not null", v.Raw)
		}
	}
}
