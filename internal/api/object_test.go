package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/api"
)

func TestParseObject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`{}`, `{}`},
		{" {\n\t\"a\" : [ 1.0e+2 , \"\\u0041 \" ] , \"b\" : { } }\n", `{"a":[1.0e+2,"\u0041 "],"b":{}}`},
		{strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat(`}`, 32), strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat(`}`, 32)},
		{strings.Repeat(`{"a":`, 33) + `1` + strings.Repeat(`}`, 33), ""},
		{`{"a":1,"a":2}`, ""},
		{`{"a":1,"\u0061":2}`, ""},
		{`{"a":{"b":[{"c":1,"c":1}]}}`, ""},
		{`null`, ""},
		{`[]`, ""},
		{`"{}"`, ""},
		{`7`, ""},
		{`{} {}`, ""},
		{`{"a":1,}`, ""},
		{"{\"a\":\"\xff\"}", ""},
		{`{"a":"\ud800"}`, ""},
		{`{"a":NaN}`, ""},
		{"\ufeff{}", ""},
		{``, ""},
	} {
		got, err := api.ParseObject([]byte(c.text))
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v", c.text, got, err)
		}
	}
	if b, err := json.Marshal(map[string]api.Object{"none": nil}); string(b) != `{"none":{}}` || err != nil {
		t.Errorf("%s, %v", b, err)
	}
}

func FuzzParseObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":[1,"x",null]}`, `{"a":1,"a":1}`, "{\"\\u0061\": \"\\ud83d\\ude00\"}", `[{}]`, `{"a":1e999}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := api.ParseObject(text)
		if err != nil {
			return
		}
		if !json.Valid(o) || o[0] != '{' || len(o) > len(text) {
			t.Fatalf("%q became %q", text, o)
		}
		again, err := api.ParseObject(o)
		if err != nil || string(again) != string(o) {
			t.Fatalf("%q became %q, and that %q (%v)", text, o, again, err)
		}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := api.ParseObject(b); err != nil || !json.Valid(same) {
			t.Fatalf("%q is written as %q: %v", text, b, err)
		}
	})
}
