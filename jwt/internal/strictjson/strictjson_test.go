package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

func TestParse(t *testing.T) {
	t.Parallel()
	limits := strictjson.Limits{Depth: 3, Members: 40}
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"m%d":%d,`, i, i)
		}
		return b.String()
	}
	for _, tt := range []struct {
		text string
		want error
	}{
		{`{}`, nil}, {" \t\r\n{ \"a\" : [ 1 , 2 ] } \n", nil}, {`{"a":{"a":{"b":1}},"b":{"a":1}}`, nil}, {`{"":0}`, nil},
		{`{"a":-0.0e-0,"b":1E+5,"c":true,"d":false,"e":null}`, nil}, {`{"\u0000":"\u0000"}`, nil}, {`{"a":"\ud83d\ude00"}`, nil},
		{`{` + many(39) + `"z":1}`, nil}, {`{"a":[[]]}`, nil},
		{``, strictjson.ErrNotObject}, {`[]`, strictjson.ErrNotObject}, {`"{}"`, strictjson.ErrNotObject}, {"\ufeff{}", strictjson.ErrNotObject},
		{"{\"\xff\":1}", strictjson.ErrUTF8}, {"{}\xff", strictjson.ErrUTF8}, {`{}{}`, strictjson.ErrTrailing}, {`{}x`, strictjson.ErrTrailing}, {"{}\x00", strictjson.ErrTrailing},
		{`{"a":1,"a":1}`, strictjson.ErrDuplicate}, {`{"a":1,"\u0061":1}`, strictjson.ErrDuplicate}, {`{"x":[{"a":1,"a":1}]}`, strictjson.ErrDuplicate},
		{`{` + many(20) + `"m0":1}`, strictjson.ErrDuplicate}, {`{` + many(20) + `"m19":1}`, strictjson.ErrDuplicate}, {`{"\/":1,"/":1}`, strictjson.ErrDuplicate},
		{`{"a":"\ud800"}`, strictjson.ErrSurrogate}, {`{"a":"\ud800\u0061"}`, strictjson.ErrSurrogate}, {`{"a":"\udc00\ud800"}`, strictjson.ErrSurrogate}, {`{"\udfff":1}`, strictjson.ErrSurrogate},
		{`{"a":[[[]]]}`, strictjson.ErrDepth}, {`{"a":{"b":{"c":{}}}}`, strictjson.ErrDepth}, {`{` + many(40) + `"z":1}`, strictjson.ErrMembers},
		{`{"a":[` + strings.Repeat(`{"b":1},`, 40) + `{}]}`, strictjson.ErrMembers},
		{`{`, strictjson.ErrSyntax}, {`{"a"`, strictjson.ErrSyntax}, {`{"a":`, strictjson.ErrSyntax}, {`{"a":1`, strictjson.ErrSyntax}, {`{"a":1,`, strictjson.ErrSyntax},
		{`{"a":1,}`, strictjson.ErrSyntax}, {`{,}`, strictjson.ErrSyntax}, {`{a:1}`, strictjson.ErrSyntax}, {`{"a" 1}`, strictjson.ErrSyntax}, {`{"a":[1,]}`, strictjson.ErrSyntax},
		{`{"a":[1 2]}`, strictjson.ErrSyntax}, {`{"a":01}`, strictjson.ErrSyntax}, {`{"a":1.}`, strictjson.ErrSyntax}, {`{"a":.1}`, strictjson.ErrSyntax}, {`{"a":1e}`, strictjson.ErrSyntax},
		{`{"a":-}`, strictjson.ErrSyntax}, {`{"a":+1}`, strictjson.ErrSyntax}, {`{"a":tru}`, strictjson.ErrSyntax}, {`{"a":nulL}`, strictjson.ErrSyntax}, {`{"a":True}`, strictjson.ErrSyntax},
		{`{"a":"`, strictjson.ErrSyntax}, {`{"a":"\`, strictjson.ErrSyntax}, {`{"a":"\"`, strictjson.ErrSyntax}, {`{"a":"\u12"}`, strictjson.ErrSyntax}, {`{"a":"\u12g4"}`, strictjson.ErrSyntax},
		{`{"a":"\U0041"}`, strictjson.ErrSyntax}, {"{\"a\":\"\n\"}", strictjson.ErrSyntax}, {"{\"a\":\"\x1f\"}", strictjson.ErrSyntax}, {"{\v}", strictjson.ErrSyntax}, {`{"a":1 /**/}`, strictjson.ErrSyntax},
		{strings.Repeat(" ", 16<<20-2) + "{}", nil}, {strings.Repeat(" ", 16<<20-1) + "{}", strictjson.ErrTooLong},
	} {
		if _, err := strictjson.Parse(tt.text, limits); !errors.Is(err, tt.want) {
			t.Errorf("%.80q: got %v, want %v", tt.text, err, tt.want)
		}
	}
}

// TestEveryByteOfAString puts every byte at every place of a string, in the part that is passed over eight bytes at a time and in
// the rest. encoding/json takes the same, but for invalid UTF-8.
func TestEveryByteOfAString(t *testing.T) {
	t.Parallel()
	for length := range 20 {
		inside := []byte(strings.Repeat("a", length))
		for at := range inside {
			for c := range 256 {
				inside[at] = byte(c)
				text := `{"` + string(inside) + `":"` + string(inside) + `"}`
				var want map[string]string
				wantOK := json.Unmarshal([]byte(text), &want) == nil && utf8.ValidString(text)
				members, err := strictjson.Parse(text, strictjson.Limits{Depth: 1, Members: 1})
				if (err == nil) != wantOK {
					t.Fatalf("%q: %v", text, err)
				}
				for name, v := range members.All() {
					if got, _ := v.Text(); got != want[name] {
						t.Fatalf("%q is read as %q", text, got)
					}
				}
			}
			inside[at] = 'a'
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	members, err := strictjson.Parse(`{"s":"a\u00e9\ud83d\ude00\n\/","l":[1,"x",[2]],"o":{"k":"v"},"n":-1.5}`, strictjson.Limits{Depth: 9, Members: 9})
	if err != nil {
		t.Fatal(err)
	}
	find := func(name string) strictjson.Value {
		v, ok := members.Find(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		return v
	}
	if s, ok := find("s").Text(); !ok || s != "aé😀\n/" {
		t.Errorf("%q, %v", s, ok)
	}
	list, ok := find("l").Elements()
	var raw []string
	for _, v := range list {
		raw = append(raw, v.Raw)
	}
	if diff := cmp.Diff([]string{"1", `"x"`, "[2]"}, raw); !ok || diff != "" {
		t.Error(diff)
	}
	inner, ok := find("o").Members()
	if v, found := inner.Find("k"); !ok || !found || v.Raw != `"v"` {
		t.Errorf("%v", inner)
	}
	escaped, err := strictjson.Parse(`{"\u0073\ud83d\ude00":1,"\u0061\u0062":2,"\/":3}`, strictjson.Limits{Depth: 9, Members: 9})
	for name, want := range map[string]string{"s\U0001f600": "1", "ab": "2", "/": "3", "a": "", "abc": "", `\/`: ""} {
		if v, ok := escaped.Find(name); err != nil || v.Raw != want || ok != (want != "") {
			t.Errorf("%q is %q, %v, %v", name, v.Raw, ok, err)
		}
	}
	for _, name := range []string{"S", "", "\u017f"} {
		if _, ok := members.Find(name); ok {
			t.Errorf("%q is found", name)
		}
	}
	if v, found := find("o").Member("k"); !found || v.Raw != `"v"` {
		t.Errorf("%q, %v", v.Raw, found)
	}
	for _, name := range []string{"K", "", "v"} {
		if _, found := find("o").Member(name); found {
			t.Errorf("%q is found", name)
		}
	}
	n := find("n")
	_, isText := n.Text()
	_, isList := n.Elements()
	_, isObject := n.Members()
	if isText || isList || isObject || n.Kind != strictjson.Number {
		t.Errorf("%+v", n)
	}
}
