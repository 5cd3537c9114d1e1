package forward

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// The bounds on a file of rules. Each request is held against every rule.
const (
	maxFile  = 256 << 10
	maxRules = 1000
	// maxDepth is how deep the brackets of the file, and the beginning of a line, may go; rules have a depth of three. What
	// the parser takes for what is nested grows with the square of its depth.
	maxDepth = 64
)

// Load reads the rules in the file of that path. Without a path they are those of [SignedIn].
func Load(path string) (*Rules, error) {
	if path == "" {
		return SignedIn(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	rules, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", path, err)
	}
	return rules, nil
}

// Parse reads rules in YAML. It reports all that is wrong at once, with the number and the line of each rule, and repeats
// no value: whoever puts a secret into the wrong file should not find it in a log.
func Parse(text []byte) (*Rules, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("has more than %d KiB", maxFile>>10)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("is not UTF-8")
	}
	if line := deepAt(text); line > 0 {
		return nil, fmt.Errorf("line %d: is nested too deeply", line)
	}
	list, err := listOf(text)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || len(list) > maxRules {
		return nil, fmt.Errorf("must have 1 to %d rules", maxRules)
	}
	s := &Rules{rules: make([]Rule, len(list))}
	var problems []error
	for i, node := range list {
		d := draft{Rule: Rule{Number: i + 1, Line: lineOf(node)}}
		d.read(node)
		s.rules[i] = d.Rule
		problems = append(problems, d.problems...)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for i := range s.rules {
		s.rules[i].require()
	}
	return s, nil
}

// deepAt returns the first line that goes deeper than maxDepth; 0 for none.
func deepAt(text []byte) int {
	brackets := 0
	for i, line := range bytes.Split(text, []byte("\n")) {
		begins := len(line) - len(bytes.TrimLeft(line, " -?:\t"))
		if begins > 2*maxDepth {
			return i + 1
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				brackets++
			case ']', '}':
				brackets = max(0, brackets-1)
			}
			if brackets > maxDepth {
				return i + 1
			}
		}
	}
	return 0
}

// listOf returns what the list of the one key that the file has holds.
func listOf(text []byte) ([]ast.Node, error) {
	// Keys that are there twice are found below, with the rest.
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, notYAML(err)
	}
	const shape = "must have one key, rules, and below it a list"
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			return nil, fmt.Errorf("line %d: must be one document", lineOf(doc.Body))
		default:
			body = doc.Body
		}
	}
	m, ok := body.(*ast.MappingNode)
	if !ok || len(m.Values) != 1 || textOf(m.Values[0].Key) != "rules" {
		return nil, errors.New(shape)
	}
	list, ok := m.Values[0].Value.(*ast.SequenceNode)
	if !ok {
		return nil, errors.New(shape)
	}
	return list.Values, nil
}

// notYAML says where the file is wrong and not how: the parser's words quote it.
func notYAML(err error) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return fmt.Errorf("line %d, column %d: is not YAML", e.GetToken().Position.Line, e.GetToken().Position.Column)
	}
	return errors.New("is not YAML")
}

func lineOf(node ast.Node) int {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 0
	}
	return node.GetToken().Position.Line
}

// textOf returns the string that a node is; "" for any other node.
func textOf(node ast.Node) string {
	if s, ok := node.(*ast.StringNode); ok {
		return s.Value
	}
	return ""
}

// draft is a rule while it is read.
type draft struct {
	Rule
	allow    string
	problems []error
}

func (d *draft) bad(format string, args ...any) {
	d.problems = append(d.problems, fmt.Errorf("rule %d (line %d): "+format, append([]any{d.Number, d.Line}, args...)...))
}

func (d *draft) read(node ast.Node) {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		d.bad("must be a map, such as {path: /x/**, role: editor}")
		return
	}
	seen := map[string]bool{}
	for _, member := range m.Values {
		key := textOf(member.Key)
		if seen[key] {
			d.bad("the key%s is there twice", printable(key))
			continue
		}
		seen[key] = true
		if !d.set(key, member.Value) {
			d.bad("unknown key%s; there are host, path, methods, allow, role, scope, fresh and audience", printable(key))
		}
	}
	if !seen["path"] {
		d.bad("needs a path; /** is every path")
	}
	d.Public = d.allow == "public"
	if d.Public && (seen["role"] || seen["scope"] || seen["fresh"]) {
		d.bad("lets everybody in, and demands a role, a scope or a fresh login: it must be one or the other")
	}
}

// printable returns a key as it may be repeated behind a word, and nothing for one that may not.
func printable(key string) string {
	if regexp.MustCompile(`^[a-z_-]{1,16}$`).MatchString(key) {
		return " " + key
	}
	return ""
}

// set takes in one member of the map. It says false when there is no such key.
func (d *draft) set(key string, value ast.Node) bool {
	switch key {
	case "host":
		d.Host = d.text(key, value)
		d.setHost()
	case "path":
		d.Path = d.text(key, value)
		d.setPath()
	case "methods":
		d.Methods = d.texts(key, value)
		if slices.ContainsFunc(d.Methods, func(m string) bool { return !isMethod(m) }) {
			d.bad("methods: must be a list of methods in upper case, such as [GET, POST]")
		}
	case "allow":
		d.allow = d.text(key, value)
		if d.allow != "public" && d.allow != "signed-in" {
			d.bad("allow: must be public or signed-in")
		}
	case "role":
		d.Roles = d.names(key, value)
	case "scope":
		d.Scopes = d.names(key, value)
	case "fresh":
		var err error
		if d.Fresh, err = time.ParseDuration(d.text(key, value)); err != nil || d.Fresh < time.Second {
			d.bad("fresh: must be a duration of at least a second, with a unit, such as 10m")
		}
	case "audience":
		if d.Audience = d.text(key, value); strings.ContainsFunc(d.Audience, isUnclear) || len(d.Audience) > 255 {
			d.bad("audience: must be the name of a service")
		}
	default:
		return false
	}
	return true
}

func (d *draft) text(key string, value ast.Node) string {
	s := textOf(value)
	if s == "" {
		d.bad("%s: must be text, and not empty", key)
	}
	return s
}

// texts reads a list of text, or one.
func (d *draft) texts(key string, value ast.Node) (list []string) {
	sequence, ok := value.(*ast.SequenceNode)
	if !ok {
		return []string{d.text(key, value)}
	}
	for _, item := range sequence.Values {
		list = append(list, d.text(key, item))
	}
	if len(list) == 0 {
		d.bad("%s: must not be an empty list", key)
	}
	return list
}

// names reads roles or scopes.
func (d *draft) names(key string, value ast.Node) []string {
	list := d.texts(key, value)
	for _, name := range list {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`",\`, r) }) {
			d.bad("%s: must be a name, or a list of names, without spaces and commas", key)
			break
		}
	}
	return list
}

func (d *draft) setHost() {
	name, below := strings.CutPrefix(d.Host, "*.")
	host, _, ok := splitHost(name)
	if !ok || below && strings.HasPrefix(host, "[") {
		d.bad("host: must be a host such as app.example.com, or *.example.com for all below it; a name beyond ASCII as DNS has it (xn--…)")
		return
	}
	d.hosts = hosts{host, below}
	d.Host = d.hosts.String()
}

func (d *draft) setPath() {
	base, below := strings.CutSuffix(d.Path, "/**")
	for segment := range strings.SplitSeq(base, "/") {
		if segment != one && strings.Contains(segment, one) {
			d.bad("path: * stands for a whole segment, and ** for all that follow, at the end")
			return
		}
	}
	if base == "" && below {
		d.exact.below, d.loose.below, d.bare.below = true, true, true
		return
	}
	if !strings.HasPrefix(base, "/") || strings.ContainsAny(base, `\?#;`) || isEncoded(base) || strings.ContainsFunc(base, isUnclear) ||
		!hasNames(base) || below && strings.HasSuffix(base, "/") {
		d.bad(`path: must be a path such as /x, /x/* or /x/**, without encoding, parameters, //, . and ..`)
		return
	}
	loose, ok := loosen(base)
	if !ok {
		d.bad("path: has a character that some servers take for another")
		return
	}
	d.exact = pattern{strings.Split(base[1:], "/"), below}
	d.loose = pattern{strings.Split(loose[1:], "/"), below}
	d.bare = pattern{segments: strings.Split(withoutExtension(loose)[1:], "/")} // what is below matches loose, extension and all
}
