package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// Verdict is what a check came to.
type Verdict string

// The verdicts. A doubt is no failure, and worth a look.
const (
	Passed  Verdict = "ok"
	Doubted Verdict = "doubt"
	Failed  Verdict = "failed"
	// Skipped is a check that an earlier failure leaves no ground for.
	Skipped Verdict = "skipped"
)

// Finding is what one check of [Examine] found.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`
}

// How little free space is a doubt, and how little a failure: the write-ahead log alone may take that for a while.
const (
	littleSpace  = 1 << 30
	noSpaceLeft  = 64 << 20
	clockPatient = time.Minute
)

// Examine looks at what the server would start with, changes nothing, and tells of each check.
func Examine(ctx context.Context, cfg *config.Config) (all []Finding) {
	found := func(check string, verdict Verdict, detail string) { all = append(all, Finding{check, verdict, detail}) }
	judge := func(check, detail string, err error) bool {
		if err != nil {
			found(check, Failed, err.Error())
			return false
		}
		found(check, Passed, detail)
		return true
	}
	if warnings := cfg.Warnings(); len(warnings) > 0 {
		found("configuration", Doubted, strings.Join(warnings, "; "))
	} else {
		found("configuration", Passed, "valid")
	}
	if path := cfg.DatabasePath(); path != "" {
		all = append(all, examinePlace(path)...)
	}
	a := &App{Config: cfg, log: slog.New(slog.DiscardHandler)}
	var versions SchemaVersions
	var err error
	if a.Store, err = openAsIs(ctx, cfg); err == nil {
		defer func() { _ = a.Store.Close() }()
		if versions, err = schemaOf(ctx, a.Store); err == nil && !versions.empty() {
			err = a.Store.Ping(ctx)
		}
	}
	if answers := judge("database", cfg.DatabaseName()+" answers", err); !answers || versions.empty() {
		why := "the database does not answer"
		if answers {
			why = "the database is empty: the first start of the server makes its tables"
		}
		for _, check := range []string{"schema", "integrity", "master key"} {
			found(check, Skipped, why)
		}
		detail, err := a.examineClock(nil)
		judge("clock", detail, err)
		return all
	}
	all = append(all, examineSchema(versions))
	detail, err := a.examineIntegrity(ctx)
	judge("integrity", detail, err)
	detail, err = a.examineMasterKey(ctx)
	judge("master key", detail, err)
	keys, err := a.Store.SigningKeys(ctx)
	if err == nil {
		detail, err = a.examineClock(keys)
	}
	judge("clock", detail, err)
	return all
}

// examinePlace looks at the folder of a file and at the disk that it is on.
func examinePlace(path string) []Finding {
	folder := filepath.Dir(path)
	rights := Finding{"permissions", Passed, folder + " is this user's alone"}
	info, err := os.Stat(folder)
	switch {
	case err != nil:
		return []Finding{{"permissions", Failed, err.Error()}}
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		rights = Finding{"permissions", Doubted, fmt.Sprintf("others may look into %s (mode %o): run chmod 700 on it", folder, info.Mode().Perm())}
	}
	place, err := sqlstore.PlaceOf(path)
	free := fmt.Sprintf("%d MiB free", place.Free>>20)
	switch {
	case err != nil:
		return []Finding{rights, {"file system", Failed, err.Error()}}
	case !place.Known:
		return []Finding{rights, {"file system", Skipped, "not looked at on " + runtime.GOOS}}
	case place.FUSE:
		rights := []Finding{rights, {"file system", Doubted, "it is a program (FUSE): SQLite needs one that keeps its data on this machine"}}
		return append(rights, examineSpace(place.Free, free))
	}
	return []Finding{rights, {"file system", Passed, "of this machine"}, examineSpace(place.Free, free)}
}

func examineSpace(free int64, detail string) Finding {
	switch {
	case free < noSpaceLeft:
		return Finding{"disk space", Failed, detail}
	case free < littleSpace:
		return Finding{"disk space", Doubted, detail}
	}
	return Finding{"disk space", Passed, detail}
}

func examineSchema(v SchemaVersions) Finding {
	detail := fmt.Sprintf("version %d", v.Current)
	switch {
	case v.Current > v.Newest:
		return Finding{"schema", Failed, fmt.Sprintf("%s, and this binary knows up to %d: run a newer countersign", detail, v.Newest)}
	case v.Current < v.Newest:
		return Finding{"schema", Doubted, fmt.Sprintf("%s, and this binary has %d: the next start of the server or `countersign migrate` brings it up to date", detail, v.Newest)}
	}
	return Finding{"schema", Passed, detail}
}

func (a *App) examineIntegrity(ctx context.Context) (string, error) {
	s, ok := a.Store.(store.Examiner)
	if !ok {
		return "left to the database server", nil
	}
	damage, err := s.Examine(ctx)
	if err == nil && len(damage) > 0 {
		err = errors.New(strings.Join(damage, "; "))
	}
	return "no damage", err
}

// examineMasterKey opens all secrets in the store with the master key that the server would take.
func (a *App) examineMasterKey(ctx context.Context) (string, error) {
	records, err := a.sealedRecords(ctx)
	if err != nil {
		return "", err
	}
	text, from := a.Config.MasterKey.Reveal(), "the one given"
	if text == "" {
		from = a.Config.DefaultMasterKeyFile()
		text, err = seal.ReadFile(from)
	}
	if errors.Is(err, fs.ErrNotExist) && len(records) == 0 {
		return "none yet: the first start makes one", nil
	}
	if err != nil {
		return "", err
	}
	box, err := seal.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	for _, r := range records {
		switch _, err := box.Open(r.kind, r.id, r.value); {
		case errors.Is(err, seal.ErrOtherKey):
			return "", a.wrongMaster(r.value, box)
		case err != nil:
			return "", fmt.Errorf("%s %s: %w", r.kind, r.id, err)
		}
	}
	return fmt.Sprintf("%s (%s) opens %d secrets", from, box.ID(), len(records)), nil
}

// examineClock compares the clock with what is known to be in the past.
func (a *App) examineClock(keys []store.SigningKey) (string, error) {
	now := time.Now()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if made, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil && now.Before(made.Add(-clockPatient)) {
				return "", fmt.Errorf("it says %s, which is before this binary was written (%s)", now.UTC().Format(time.RFC3339), s.Value)
			}
		}
	}
	for _, k := range keys {
		if now.Before(k.CreatedAt.Add(-clockPatient)) {
			return "", fmt.Errorf("it says %s, and the signing key %s was made at %s", now.UTC().Format(time.RFC3339), k.ID, k.CreatedAt.UTC().Format(time.RFC3339))
		}
	}
	return now.UTC().Format(time.RFC3339), nil
}
