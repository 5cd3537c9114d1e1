package seal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/seal"
)

func TestManyMakersOneFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	if _, err := seal.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	var wg sync.WaitGroup
	made, texts := make([]bool, 20), make([]string, 20)
	for i := range made {
		wg.Go(func() {
			var err error
			if made[i], err = seal.MakeFile(path); err != nil {
				t.Error(err)
			}
			if texts[i], err = seal.ReadFile(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	makers := 0
	for i := range made {
		if made[i] {
			makers++
		}
		if _, err := seal.Parse(texts[i]); err != nil || texts[i] != texts[0] {
			t.Errorf("%q, not %q: %v", texts[i], texts[0], err)
		}
	}
	if makers != 1 {
		t.Errorf("%d made it", makers)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestReadFileRights(t *testing.T) {
	t.Parallel()
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: true, 0o644: false, 0o604: false, 0o606: false, 0o601: false} {
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, []byte(seal.Generate()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.ReadFile(path); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}
