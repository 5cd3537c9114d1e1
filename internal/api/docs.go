package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
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
	Anchor   string
	Inputs   []docsField
	Outputs  []docsField
	Types    string
	Statuses []docsStatus
}

type docsField struct {
	Name, Type, Doc string
	Required        bool
}

type docsStatus struct{ Code, Text string }

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
		return strings.Compare(a.Tags[0]+a.Path+a.Method, b.Tags[0]+b.Path+b.Method)
	})
	t, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Info": rt.doc.Info, "Operations": ops, "Security": rt.doc.Components.SecuritySchemes})
	return b.Bytes(), err
}

func (rt *Router) describe(op *huma.Operation) docsOperation {
	d := docsOperation{Operation: op, Anchor: op.OperationID}
	if op.RequestBody != nil {
		types := make([]string, 0, len(op.RequestBody.Content))
		for media, body := range op.RequestBody.Content {
			types = append(types, media)
			d.Inputs = rt.fields(body.Schema, "")
		}
		slices.Sort(types)
		d.Types = strings.Join(types, " or ")
	}
	for code, res := range op.Responses {
		d.Statuses = append(d.Statuses, docsStatus{code, res.Description})
		if body := res.Content["application/json"]; code == "200" && body != nil {
			d.Outputs = rt.fields(body.Schema, "")
		}
	}
	slices.SortFunc(d.Statuses, func(a, b docsStatus) int { return strings.Compare(a.Code, b.Code) })
	return d
}

// fields lists the members of an object, and those of the objects in it by dotted names.
func (rt *Router) fields(s *huma.Schema, prefix string) (fields []docsField) {
	if s.Ref != "" {
		s = rt.doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	for name, member := range s.Properties {
		f := docsField{Name: prefix + name, Type: member.Type, Doc: member.Description, Required: slices.Contains(s.Required, name)}
		if member.Ref != "" {
			f.Type = "object"
			fields = append(fields, rt.fields(member, f.Name+".")...)
		}
		fields = append(fields, f)
	}
	slices.SortFunc(fields, func(a, b docsField) int { return strings.Compare(a.Name, b.Name) })
	return fields
}
