package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/countersign-auth/countersign/problem"
)

//go:embed docs.html
var docsHTML string

// The policy allows the page its own inline style and nothing else: no script, no font, no request to anywhere.
const docsPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

// ServeDocs adds /openapi.json and /docs, which describe the routes that were added before it.
func (rt *Router) ServeDocs() error {
	spec, err := json.MarshalIndent(rt.doc, "", "  ")
	if err != nil {
		return err
	}
	page, err := rt.page()
	if err != nil {
		return err
	}
	rt.Handle(&Operation{Method: http.MethodGet, Path: "/openapi.json", Hidden: true}, static("application/json", "", spec))
	rt.Handle(&Operation{Method: http.MethodGet, Path: "/docs", Hidden: true}, static("text/html; charset=utf-8", docsPolicy, page))
	return nil
}

func static(contentType, policy string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age=300")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		_, _ = w.Write(body) // what fails here is the connection
	})
}

// docsOperation is an operation as the page shows it.
type docsOperation struct {
	*huma.Operation
	Tag             string
	Key             bool // it takes an API key
	Takes           string
	Params, Queries []docsField // the parameters in the path and in the query
	Inputs          []docsField
	Answers, Errors []docsAnswer
	Examples        []docsText
}

type docsField struct {
	Name, Type, Doc string
	Need            string // "required" or "optional"; empty where an answer always has it
	Limits          []string
}

type docsAnswer struct {
	Code, Text, Media string
	Headers           []string
	Fields            []docsField
}

type docsText struct{ Title, Text, Doc string }

func (rt *Router) page() ([]byte, error) {
	var ops []docsOperation
	for _, path := range rt.doc.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Put, path.Patch, path.Delete} {
			if op != nil {
				ops = append(ops, rt.describe(op))
			}
		}
	}
	slices.SortFunc(ops, func(a, b docsOperation) int {
		return strings.Compare(a.Tag+a.Path+a.Method, b.Tag+b.Path+b.Method)
	})
	t, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{
		"Servers": rt.doc.Servers,
		"Info":    rt.doc.Info, "Operations": ops, "Tokens": rt.tokens(),
		"Problem": rt.fields(schemaOf(rt.doc.Components.Schemas, problemBody{}), "", ""),
	})
	return b.Bytes(), err
}

// tokens says how a token is sent.
func (rt *Router) tokens() (ways []docsText) {
	if s := rt.doc.Components.SecuritySchemes["bearer"]; s != nil {
		ways = append(ways, docsText{"Token in the header", "Authorization: Bearer $TOKEN", s.Description})
	}
	if s := rt.doc.Components.SecuritySchemes["query"]; s != nil {
		ways = append(ways, docsText{"Token in the query", "?" + s.Name + "=$TOKEN", s.Description})
	}
	if s := rt.doc.Components.SecuritySchemes[keyScheme]; s != nil {
		ways = append(ways, docsText{"API key in the header", s.Name + ": $KEY", s.Description})
	}
	return ways
}

func (rt *Router) describe(op *huma.Operation) docsOperation {
	d := docsOperation{Operation: op, Tag: op.Tags[0], Key: takesKey(op), Examples: rt.examples(op)}
	for _, p := range op.Parameters {
		f := docsField{Name: p.Name, Type: typeOf(p.Schema), Doc: p.Description, Need: "required", Limits: limits(p.Schema)}
		if p.In == "query" {
			f.Need = "optional"
			d.Queries = append(d.Queries, f)
			continue
		}
		d.Params = append(d.Params, f)
	}
	if op.RequestBody != nil {
		d.Takes = strings.Join(slices.Sorted(maps.Keys(op.RequestBody.Content)), " or ")
		for _, body := range op.RequestBody.Content { // the same, whatever the media type
			d.Inputs = rt.fields(body.Schema, "", "required")
		}
	}
	for _, code := range slices.Sorted(maps.Keys(op.Responses)) {
		res := op.Responses[code]
		a := docsAnswer{Code: code, Text: res.Description, Headers: slices.Sorted(maps.Keys(res.Headers))}
		if res.Content[problem.ContentType] != nil {
			d.Errors = append(d.Errors, a)
			continue
		}
		for media, body := range res.Content {
			a.Media, a.Fields = media, rt.fields(body.Schema, "", "")
		}
		d.Answers = append(d.Answers, a)
	}
	return d
}

// fields lists the members of an object, and those of the objects in it by dotted names. Need is the word for those
// that must be there.
func (rt *Router) fields(s *huma.Schema, prefix, need string) (fields []docsField) {
	s = rt.resolve(s)
	for _, name := range members(s) {
		member := s.Properties[name]
		f := docsField{Name: prefix + name, Type: typeOf(member), Doc: member.Description, Need: need, Limits: limits(member)}
		if !slices.Contains(s.Required, name) {
			f.Need = "optional"
		}
		fields = append(fields, f)
		switch {
		case member.Ref != "":
			fields = append(fields, rt.fields(member, f.Name+".", need)...)
		case member.Items != nil:
			fields = append(fields, rt.fields(member.Items, f.Name+"[].", need)...)
		}
	}
	return fields
}

func (rt *Router) resolve(s *huma.Schema) *huma.Schema {
	if s.Ref != "" {
		return rt.doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// members returns the names of an object's members: the required ones in the order of their Go type, then the others.
func members(s *huma.Schema) []string {
	names := slices.Clone(s.Required)
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func typeOf(s *huma.Schema) string {
	switch {
	case s.Ref != "":
		return "object"
	case s.Items != nil:
		return "array of " + typeOf(s.Items) + "s"
	case s.Type == huma.TypeString && s.Format != "":
		return "string (" + s.Format + ")"
	default:
		return s.Type
	}
}

// limits says in words what values a field takes.
func limits(s *huma.Schema) (lines []string) {
	add := func(format string, v any) { lines = append(lines, fmt.Sprintf(format, v)) }
	if s.MinLength != nil {
		add("at least %d characters", *s.MinLength)
	}
	if s.MaxLength != nil {
		add("at most %d characters", *s.MaxLength)
	}
	if s.Minimum != nil {
		add("at least %v", *s.Minimum)
	}
	if s.Maximum != nil {
		add("at most %v", *s.Maximum)
	}
	if s.Pattern != "" {
		add("matches %s", s.Pattern)
	}
	if len(s.Enum) == 1 {
		add("always %v", s.Enum[0])
	} else if len(s.Enum) > 1 {
		add("one of %v", strings.Trim(fmt.Sprint(s.Enum), "[]"))
	}
	if len(s.Examples) > 0 {
		add("for example: %v", s.Examples[0])
	}
	return lines
}

// examples returns a command for each way to call an operation.
func (rt *Router) examples(op *huma.Operation) (commands []docsText) {
	curl := func(title, query string, options ...string) {
		if op.Method != http.MethodGet && op.Method != http.MethodPost || op.Method == http.MethodPost && op.RequestBody == nil {
			options = slices.Concat([]string{"-X " + op.Method}, options) // else it is the method that curl takes by itself
		}
		lines := slices.Concat([]string{`curl "$URL` + variables(op) + query + `"`}, options)
		commands = append(commands, docsText{Title: title, Text: strings.Join(lines, " \\\n  ")})
	}
	token := rt.credential(op)
	if op.RequestBody == nil {
		curl("curl", "", token...)
		for _, way := range op.Security {
			if _, ok := way["query"]; ok {
				curl("curl, token in the query", "?"+rt.doc.Components.SecuritySchemes["query"].Name+"=$TOKEN")
			}
		}
		return commands
	}
	if body := op.RequestBody.Content["application/json"]; body != nil {
		b, _ := json.MarshalIndent(rt.example(body.Schema), "  ", "  ") // values of struct tags always marshal
		curl("curl, JSON", "", slices.Concat(token, []string{"-H 'Content-Type: application/json'", "-d " + quote(string(b))})...)
	}
	if body := op.RequestBody.Content["application/x-www-form-urlencoded"]; body != nil {
		options := slices.Clone(token)
		for _, name := range members(rt.resolve(body.Schema)) {
			value := rt.example(rt.resolve(body.Schema).Properties[name])
			options = append(options, "--data-urlencode "+quote(fmt.Sprintf("%s=%v", name, value)))
		}
		curl("curl, form", "", options...)
	}
	return commands
}

func takesKey(op *huma.Operation) bool {
	return len(op.Security) > 0 && op.Security[0][keyScheme] != nil
}

// credential returns the option of a command that sends what the operation asks for.
func (rt *Router) credential(op *huma.Operation) []string {
	switch {
	case len(op.Security) == 0:
		return nil
	case takesKey(op):
		return []string{`-H "` + rt.doc.Components.SecuritySchemes[keyScheme].Name + `: $KEY"`}
	}
	return []string{`-H "Authorization: Bearer $TOKEN"`}
}

// variables returns the path with a variable of the shell for each parameter, whose braces curl would take as its own.
func variables(op *huma.Operation) string {
	path := op.Path
	for _, p := range op.Parameters {
		path = strings.ReplaceAll(path, "{"+p.Name+"}", "$"+strings.ToUpper(p.Name))
	}
	return path
}

// example returns a value that the schema could describe.
func (rt *Router) example(s *huma.Schema) any {
	s = rt.resolve(s)
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.Properties) > 0:
		object := map[string]any{}
		for name, member := range s.Properties {
			object[name] = rt.example(member)
		}
		return object
	default:
		return "…"
	}
}

// quote makes one word of s for the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
