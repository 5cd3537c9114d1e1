package archive

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// FuzzLines reads whatever comes as an export, and writes what it understands.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"countersign_export":{"version":1}}` + "\n" + `{"secret":{"name":"a","value":{"base64":"AP8="}}}` + "\n" + `{"end":{"secrets":1}}`))
	f.Add([]byte(`{"countersign_export":{"version":1}}` + "\n" + `{"account":{"user":{"id":"a","data":null,"admin_data":"{}","created_at":"2026-01-02T03:04:05.678901Z"},"sessions":[{"chain":"x"}]}}`))
	f.Add([]byte(`{"countersign_export":{"version":1}}` + "\n" + `{"event":{"id":"a","count":1e3}}`))
	f.Fuzz(func(t *testing.T, export []byte) {
		_, err := eachLine(bytes.NewReader(export), func(_ kind, l *line) error {
			text, err := json.Marshal(l)
			if err != nil {
				return nil // a time that no text has
			}
			again, _, err := parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if same, err := json.Marshal(again); err != nil || !bytes.Equal(text, same) {
				t.Fatalf("%s became %s (%v)", text, same, err)
			}
			return nil
		}, func(kind) error { return nil })
		if err != nil && strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%v", err)
		}
	})
}
