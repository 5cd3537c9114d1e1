package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// inTheServer are the folders and files whose problems the server answers with.
var inTheServer = []string{"internal", "passport/require.go", "passport/bearer", "passport/apikey", "passport/local", "passport/internal", "problem"}

// TestEveryCodeIsDocumented holds the codes in the source against the table in docs/http.md, both ways.
func TestEveryCodeIsDocumented(t *testing.T) {
	t.Parallel()
	documented := codesInTable(t)
	for code, statuses := range codesInSource(t) {
		if code == "client_gone" { // whom it is for has gone
			continue
		}
		if len(documented[code]) == 0 {
			t.Errorf("docs/http.md does not have %s", code)
			continue
		}
		for _, status := range statuses {
			if !slices.Contains(documented[code], status) {
				t.Errorf("docs/http.md has %s for %v, and not for %d", code, documented[code], status)
			}
		}
		documented[code] = nil
	}
	for code, statuses := range documented {
		if len(statuses) > 0 {
			t.Errorf("docs/http.md has %s, and the source has not", code)
		}
	}
}

// codesInTable returns the codes in the table of docs/http.md, and with which statuses they stand there.
func codesInTable(t *testing.T) map[string][]int {
	t.Helper()
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| status | code |")
	table, _, _ = strings.Cut(table, "\n\n")
	codes := map[string][]int{}
	for row := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(row, "|")
		if len(cells) < 3 {
			continue
		}
		for _, code := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[2], -1) {
			for _, status := range regexp.MustCompile(`\d+`).FindAllString(cells[1], -1) {
				n, _ := strconv.Atoi(status)
				codes[code[1]] = append(codes[code[1]], n)
			}
		}
	}
	if len(codes) < 20 {
		t.Fatalf("the table has %v", codes)
	}
	return codes
}

// codesInSource returns the codes of the problems that the source makes, and their statuses where it says them beside.
func codesInSource(t *testing.T) map[string][]int {
	t.Helper()
	statuses := map[string]int{}
	for n := 400; n < 600; n++ {
		statuses["Status"+strings.NewReplacer(" ", "", "-", "").Replace(http.StatusText(n))] = n
	}
	constants, codes, named := map[string]string{}, map[string][]int{}, map[string][]int{}
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) && regexp.MustCompile(`^[cC]ode[A-Z]|^Internal$`).MatchString(name.Name) {
						if text, ok := literal(n.Values[i]); ok {
							constants[name.Name] = text
							codes[text] = append(codes[text], 0)
						}
					}
				}
			case *ast.CallExpr:
				if name := nameOf(n.Fun); name != "New" || len(n.Args) != 3 {
					return true
				}
				status := statuses[nameOf(n.Args[0])]
				if text, ok := literal(n.Args[0]); ok {
					status, _ = strconv.Atoi(text)
				}
				if status == 0 {
					return true
				}
				if code, ok := literal(n.Args[1]); ok {
					codes[code] = append(codes[code], status)
				} else {
					named[nameOf(n.Args[1])] = append(named[nameOf(n.Args[1])], status)
				}
			}
			return true
		})
	}
	for name, list := range named {
		if code, ok := constants[name]; ok {
			codes[code] = append(codes[code], list...)
		}
	}
	for code, list := range codes {
		codes[code] = slices.DeleteFunc(list, func(n int) bool { return n == 0 })
	}
	return codes
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	if text, err := strconv.Unquote(lit.Value); err == nil {
		return text, true
	}
	return lit.Value, true
}

// nameOf returns the name that an expression is, without its package.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}

// sources returns the files of the server that are no tests.
func sources(t *testing.T) (files []*ast.File) {
	t.Helper()
	for _, folder := range inTheServer {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			files = append(files, file)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
