package api

import (
	"cmp"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/countersign-auth/countersign/problem"
)

// Operation declares a route for the router and the OpenAPI document.
type Operation struct {
	// Path may have segments {name}, as [http.ServeMux] writes them. The document has each as a parameter.
	Method, Path string
	// ID is the operationId, for generated clients.
	ID string
	// Summary is a line, Description a paragraph.
	Summary, Description string
	Tag                  string
	// Hidden routes do not stand in the document.
	Hidden bool
	// Bearer says that the route takes a token: in the Authorization header or, if TokenParameter is not empty, in
	// the query parameter of that name.
	Bearer         bool
	TokenParameter string
	// Body is a value of the type that the body has, nil for none; Forms says that it may come as a form too, and
	// BodyOptional that it may be left out.
	Body         any
	Forms        bool
	BodyOptional bool
	// Status is the status of a success; zero means 200. OK is a value of the type of its content, nil for none, and
	// OKType its media type; empty means JSON.
	Status int
	OK     any
	OKType string
	// NotModified says that a request that names what it has in If-None-Match may be answered 304.
	NotModified bool
	// Redirects says that a request may be answered 302.
	Redirects bool
	// Problems are the statuses of the errors that the route answers, beside those that every route may answer.
	Problems []int
}

// always are the statuses that the kit itself answers on any route.
var always = []int{
	http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// Document is the shape of every error, for the OpenAPI document.
type problemBody struct {
	Title     string          `json:"title" doc:"The status in words"`
	Status    int             `json:"status" doc:"The HTTP status"`
	Code      string          `json:"code" doc:"Names the failure for programs; stable"`
	Detail    string          `json:"detail,omitempty" doc:"Says what is wrong in a sentence"`
	Errors    []problem.Field `json:"errors,omitempty" nullable:"false" doc:"What is wrong, field by field"`
	RequestID string          `json:"request_id,omitempty" doc:"Finds the request in the server's log"`
}

func (op *Operation) build(schemas huma.Registry) *huma.Operation {
	out := &huma.Operation{
		Method: op.Method, Path: op.Path, OperationID: op.ID,
		Summary: op.Summary, Description: op.Description, Tags: []string{op.Tag}, Parameters: op.parameters(),
		Responses: map[string]*huma.Response{strconv.Itoa(cmp.Or(op.Status, http.StatusOK)): op.ok(schemas)},
	}
	for _, status := range append(op.Problems, always...) {
		out.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     content(problem.ContentType, schemaOf(schemas, problemBody{})),
			Headers:     problemHeaders(status),
		}
	}
	if op.NotModified {
		out.Responses["304"] = &huma.Response{Description: http.StatusText(http.StatusNotModified)}
	}
	if op.Redirects {
		out.Responses["302"] = &huma.Response{Description: http.StatusText(http.StatusFound)}
	}
	if op.Body != nil {
		body := content("application/json", schemaOf(schemas, op.Body))
		if op.Forms {
			body["application/x-www-form-urlencoded"] = body["application/json"]
		}
		out.RequestBody = &huma.RequestBody{Required: !op.BodyOptional, Content: body}
	}
	if op.Bearer {
		out.Security = []map[string][]string{{"bearer": {}}}
		if op.TokenParameter != "" {
			out.Security = append(out.Security, map[string][]string{"query": {}})
		}
	}
	return out
}

// parameters declares the segments of the path that stand for any text.
func (op *Operation) parameters() (params []*huma.Param) {
	for segment := range strings.SplitSeq(op.Path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			params = append(params, &huma.Param{
				Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
			})
		}
	}
	return params
}

func (op *Operation) ok(schemas huma.Registry) *huma.Response {
	res := &huma.Response{Description: http.StatusText(cmp.Or(op.Status, http.StatusOK))}
	if op.OK != nil {
		media := op.OKType
		if media == "" {
			media = "application/json"
		}
		res.Content = content(media, schemaOf(schemas, op.OK))
	}
	return res
}

func problemHeaders(status int) map[string]*huma.Param {
	text := &huma.Schema{Type: huma.TypeString}
	switch status {
	case http.StatusUnauthorized:
		return map[string]*huma.Param{"WWW-Authenticate": {Description: "The challenges of RFC 9110", Schema: text}}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return map[string]*huma.Param{"Retry-After": {Description: "Seconds to wait", Schema: text}}
	default:
		return nil
	}
}

func content(media string, s *huma.Schema) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{media: {Schema: s}}
}

func schemaOf(schemas huma.Registry, v any) *huma.Schema {
	return schemas.Schema(reflect.TypeOf(v), true, "")
}

// Security declares how a token is sent, once for all operations. An empty tokenParameter declares the header alone.
func (rt *Router) Security(tokenParameter string) {
	rt.doc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
	}
	if tokenParameter != "" {
		rt.doc.Components.SecuritySchemes["query"] = &huma.SecurityScheme{Type: "apiKey", In: "query", Name: tokenParameter,
			Description: "For clients of the founding app. A token in a URL leaks into logs and histories: prefer the header."}
	}
}
