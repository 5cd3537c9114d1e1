package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/countersign-auth/countersign/internal/seal"
)

// Sources are where [Load] takes values from.
type Sources struct {
	// File is the path of the YAML file; empty means none.
	File string
	// Environ is the environment as os.Environ returns it.
	Environ []string
	// Flags are the flags that were given, by their names without dashes.
	Flags map[string]string
}

// Load reads the sources, the stronger over the weaker, reads the secrets that stand in files, and validates.
// It reports every problem at once. An unknown key, in whatever source, is a problem.
func Load(src Sources) (*Config, []*Setting, error) {
	c, settings := defaults()
	byKey, byEnv, byFlag := map[string]*Setting{}, map[string]*Setting{}, map[string]*Setting{}
	for _, s := range settings {
		byKey[s.Key], byEnv[s.Env()] = s, s
		if !s.Secret {
			byFlag[s.Flag()] = s
		}
	}

	var problems []error
	assign := func(s *Setting, source, name, text string) {
		if err := s.value.set(text); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			return
		}
		s.Source = source
	}

	entries, err := readFile(src.File)
	if err != nil {
		problems = append(problems, err)
	}
	given := map[string]bool{}
	for _, e := range entries {
		if given[e.key] {
			problems = append(problems, fmt.Errorf("%s: %s stands there twice", src.File, e.key))
			continue
		}
		given[e.key] = true
		switch s := byKey[e.key]; {
		case s != nil && s.envOnly:
			problems = append(problems, fmt.Errorf("%s: %s must not stand in it, for others may read it: use %s or %s_file", src.File, e.key, s.Env(), e.key))
		case s != nil:
			assign(s, "file", src.File+": "+e.key, e.text)
		default:
			problems = append(problems, fmt.Errorf("%s: unknown key %s%s", src.File, e.key, suggestion(e.key, byKey)))
		}
	}
	for _, variable := range src.Environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || name == ConfigEnv || strings.HasPrefix(name, testPrefix) || fromOrchestrator.MatchString(name) {
			continue
		}
		if s := byEnv[name]; s != nil {
			assign(s, "environment", name, text)
		} else {
			problems = append(problems, fmt.Errorf("unknown variable %s%s", name, suggestion(name, byEnv)))
		}
	}
	for name, text := range src.Flags {
		if s := byFlag[name]; s != nil {
			assign(s, "flag", "--"+name, text)
		} else {
			problems = append(problems, fmt.Errorf("unknown flag --%s", name))
		}
	}

	problems = append(problems, c.readSecrets()...)
	if len(problems) == 0 {
		problems = c.Validate()
	}
	issuer := c.IssuerAt(c.Listen)
	byKey["database"].derived, byKey["issuer"].derived, byKey["jwt.audience"].derived = c.DatabaseName(), issuer, issuer
	c.databaseFromFlag = byKey["database"].Source == "flag"
	if c.MasterKey == "" {
		byKey["master_key_file"].derived = c.DefaultMasterKeyFile()
	}
	return c, settings, errors.Join(problems...)
}

// ConfigEnv is the variable that names the configuration file.
const ConfigEnv = envPrefix + "CONFIG"

// fromOrchestrator matches the variables that Kubernetes sets in every pod beside services whose names begin with
// countersign. No setting looks like that.
var fromOrchestrator = regexp.MustCompile(`^COUNTERSIGN(_.+)?_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_.+)?)?)$`)

type entry struct{ key, text string }

func readFile(path string) ([]entry, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	var root, second yaml.MapSlice
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.UseOrderedMap())
	if err := dec.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, notYAML(err))
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: holds more than one document", path)
	}
	return flatten(nil, "", root)
}

// notYAML says where the file is wrong and not how: the parser's words quote the file, which may hold a secret.
func notYAML(err error) error {
	const what = "is not a map of settings in YAML, or has a key twice"
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		at := e.GetToken().Position
		return fmt.Errorf("line %d, column %d: %s", at.Line, at.Column, what)
	}
	return errors.New(what)
}

func flatten(into []entry, prefix string, m yaml.MapSlice) (_ []entry, err error) {
	for _, item := range m {
		key := prefix + fmt.Sprint(item.Key)
		if sub, ok := item.Value.(yaml.MapSlice); ok {
			if into, err = flatten(into, key+".", sub); err != nil {
				return nil, err
			}
			continue
		}
		text, err := scalar(item.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		into = append(into, entry{key, text})
	}
	return into, nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64, uint64, int, float64:
		return fmt.Sprint(v), nil
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok || strings.Contains(s, ",") {
				return "", errors.New("must be a list of strings without commas")
			}
			items[i] = s
		}
		return strings.Join(items, ","), nil
	default:
		return "", errors.New("must be a single value or a list of strings")
	}
}

// readSecrets fills the secrets that stand in files. One trailing newline is not part of a secret.
func (c *Config) readSecrets() (problems []error) {
	read := func(key, path string, into *Secret) {
		if path == "" {
			return
		}
		data, err := os.ReadFile(path)
		if err != nil {
			var pe *fs.PathError
			if errors.As(err, &pe) {
				err = pe.Err
			}
			problems = append(problems, fmt.Errorf("%s: %s: %w", key, path, err))
			return
		}
		s := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if s == "" {
			problems = append(problems, fmt.Errorf("%s: %s is empty", key, path))
			return
		}
		*into = Secret(s)
	}
	if c.DatabaseFile != "" && c.Database != "" {
		problems = append(problems, errors.New("database and database_file: set one, not both"))
	} else {
		read("database_file", c.DatabaseFile, (*Secret)(&c.Database))
	}
	if c.JWT.SecretFile != "" && c.JWT.Secret != "" {
		problems = append(problems, errors.New("jwt.secret and jwt.secret_file: set one, not both"))
	} else {
		read("jwt.secret_file", c.JWT.SecretFile, &c.JWT.Secret)
	}
	problems = append(problems, c.readMasterKey()...)
	read("jwt.legacy_secret_file", c.JWT.LegacySecretFile, &c.JWT.LegacySecret)
	return problems
}

// readMasterKey fills MasterKey from its file, which others must not be able to read.
func (c *Config) readMasterKey() []error {
	switch {
	case c.MasterKeyFile == "":
		return nil
	case c.MasterKey != "":
		return []error{errors.New("master_key and master_key_file: set one, not both")}
	}
	text, err := seal.ReadFile(c.MasterKeyFile)
	if err == nil && strings.TrimSpace(text) == "" {
		err = fmt.Errorf("%s is empty", c.MasterKeyFile)
	}
	if err != nil {
		return []error{fmt.Errorf("master_key_file: %w", err)}
	}
	c.MasterKey = Secret(text)
	return nil
}

// suggestion returns " (did you mean X?)" for the known name that is closest to an unknown one, or nothing.
func suggestion(name string, known map[string]*Setting) string {
	best, least := "", len(name)/3+1
	for candidate := range known {
		if d := editDistance(name, candidate); d < least || d == least && best != "" && candidate < best {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + best + "?)"
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
