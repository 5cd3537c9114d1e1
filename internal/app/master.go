package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
)

// The secrets in the store, by name, and the kind that they are sealed as.
const (
	secretKind = "secret"
	// markerName is a secret that says under which master key the others are, and whether they all are.
	markerName = "master"
	rootName   = "root"
)

// What the marker says. While it says the first, a secret that an earlier version left in the clear is taken and
// sealed; later one in the clear is one that somebody has slipped in.
const (
	marksSealing = "countersign: sealing"
	marksSealed  = "countersign: sealed"
)

// scrubPatience is how long sealing waits for those who read from the database.
const scrubPatience = 5 * time.Second

// openBox returns what opens the secrets in the store. A new database, and one of a version that did not seal, is put under the
// master key that is given or, if there is none, under a new one in a file beside it. Over a database that has a
// master key nothing is ever made in its place.
//
// The marker is written first: it decides between processes that start at once, and whoever is interrupted goes on from it.
func (a *App) openBox(ctx context.Context) (*seal.Box, error) {
	marker, err := a.Store.Secret(ctx, markerName)
	unmarked := errors.Is(err, store.ErrNotFound)
	if err != nil && !unmarked {
		return nil, err
	}
	box, err := a.masterKey(ctx, marker)
	if err != nil {
		return nil, err
	}
	if unmarked {
		if marker, err = a.mark(ctx, box); err != nil {
			return nil, err
		}
	}
	state, err := box.Open(secretKind, markerName, marker)
	switch {
	case errors.Is(err, seal.ErrOtherKey):
		return nil, a.wrongMaster(marker, box)
	case err != nil:
		return nil, fmt.Errorf("master key: the marker in the database: %w", err)
	case string(state) == marksSealed:
		return box, nil
	case string(state) != marksSealing:
		return nil, errors.New("master key: the marker in the database is of another version")
	}
	sealed, err := a.sealClear(ctx, box)
	if err != nil {
		return nil, err
	}
	if sealed > 0 || !unmarked {
		if err := a.scrubFor(ctx, scrubPatience); err != nil { // the next start will find the marker as it is, and try again
			a.log.LogAttrs(ctx, slog.LevelWarn, "the database's write-ahead log may still hold secrets that are sealed now; start the server once more when nothing else uses the database", slog.Any("error", err))
			return box, nil
		}
	}
	err = a.Store.ReplaceSecret(ctx, markerName, marker, box.Seal(secretKind, markerName, []byte(marksSealed)))
	if errors.Is(err, store.ErrConflict) { // another process was faster
		err = nil
	}
	return box, err
}

// mark writes the marker of a database that has none, and returns what is there then.
//
// Where something is sealed there was a marker before that: somebody has removed it, so that a secret in the clear would be
// taken for one of an earlier version. All that is there must be sealed.
func (a *App) mark(ctx context.Context, box *seal.Box) ([]byte, error) {
	records, err := a.sealedRecords(ctx)
	if err != nil {
		return nil, err
	}
	// After the records: another process that starts writes the marker before it seals any.
	if marker, err := a.Store.Secret(ctx, markerName); !errors.Is(err, store.ErrNotFound) {
		return marker, err
	}
	state, inClear := marksSealing, ""
	for _, r := range records {
		_, err := box.Open(r.kind, r.id, r.value)
		switch {
		case errors.Is(err, seal.ErrNotSealed):
			inClear = r.kind + " " + r.id
			continue
		case errors.Is(err, seal.ErrOtherKey):
			return nil, a.wrongMaster(r.value, box)
		case err != nil:
			return nil, fmt.Errorf("master key: %s %s: %w", r.kind, r.id, err)
		}
		state = marksSealed
	}
	if state == marksSealed && inClear != "" {
		return nil, fmt.Errorf("master key: the database has sealed secrets, and %s is not sealed; what marks it as sealed is missing. "+
			"No version of the server leaves it so: somebody has changed the database. Put it back from your backup; docs/keys.md says what to do if there is none", inClear)
	}
	return a.Store.FirstSecret(ctx, markerName, box.Seal(secretKind, markerName, []byte(state)))
}

// masterKey returns the master key that is given, or else that in the file beside the database, which is made if the
// database has no master key yet.
func (a *App) masterKey(ctx context.Context, marker []byte) (*seal.Box, error) {
	if a.Config.MasterKey != "" {
		return seal.Parse(a.Config.MasterKey.Reveal())
	}
	path := a.Config.DefaultMasterKeyFile()
	text, err := seal.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = a.makeMasterKey(ctx, path, marker); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	box, err := seal.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("master key: %s: %w", path, err)
	}
	return box, nil
}

func (a *App) makeMasterKey(ctx context.Context, path string, marker []byte) (string, error) {
	id, sealed := seal.KeyOf(marker)
	if !sealed { // the marker may be gone, and what it stood for not
		records, err := a.sealedRecords(ctx)
		if err != nil {
			return "", err
		}
		for _, r := range records {
			if id, sealed = seal.KeyOf(r.value); sealed {
				break
			}
		}
	}
	if sealed {
		// Whoever sealed them made the file first: another process that starts may just have done both.
		if text, err := seal.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
		return "", fmt.Errorf("master key: there is none at %s, and the secrets in the database are sealed under %s: "+
			"put that file back from your backup, or name the key with master_key_file or COUNTERSIGN_MASTER_KEY. "+
			"A new one would not open them, so none is made; docs/keys.md says what is lost without it", path, id)
	}
	made, err := seal.MakeFile(path)
	if err != nil {
		return "", fmt.Errorf("master key: none is given, and %s cannot be made: %w", path, err)
	}
	if made {
		a.log.LogAttrs(ctx, slog.LevelWarn, "a master key was made, without which the secrets in the database cannot be opened: keep a copy elsewhere", slog.String("file", path))
	}
	return seal.ReadFile(path)
}

// wrongMaster says that the master key given is not that of the database, and where that is if it can be seen.
func (a *App) wrongMaster(marker []byte, given *seal.Box) error {
	id, _ := seal.KeyOf(marker)
	err := fmt.Errorf("master key: the secrets in the database are sealed under %s, and the key given is %s: give that one. "+
		"To change the master key, give the new one and below it, on a line of its own, the old one", id, given.ID())
	path := a.Config.DefaultMasterKeyFile()
	if text, readErr := seal.ReadFile(path); readErr == nil && a.Config.MasterKey != "" {
		if box, parseErr := seal.Parse(text); parseErr == nil && box.ID() == id {
			return fmt.Errorf("%w. It is in %s", err, path)
		}
	}
	return err
}

// sealedRecord is a record of the store whose value is sealed, or is to be.
type sealedRecord struct {
	kind, id string
	value    []byte
	// replace puts another value in the place of value.
	replace func(ctx context.Context, with []byte) error
}

// sealedRecords returns all such records, the marker as the last.
func (a *App) sealedRecords(ctx context.Context) (records []sealedRecord, err error) {
	keys, err := a.Store.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		kind, id := token.SealedAs(k)
		records = append(records, sealedRecord{kind, id, k.Private, func(ctx context.Context, with []byte) error {
			return a.Store.ReplaceKey(ctx, k.ID, k.Private, with)
		}})
	}
	for _, name := range []string{rootName, markerName} {
		value, err := a.Store.Secret(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records = append(records, sealedRecord{secretKind, name, value, func(ctx context.Context, with []byte) error {
			return a.Store.ReplaceSecret(ctx, name, value, with)
		}})
	}
	return records, nil
}

// sealClear seals what is in the clear, and returns how many records those were. What another process has sealed
// meanwhile is left as it is.
func (a *App) sealClear(ctx context.Context, box *seal.Box) (n int, err error) {
	records, err := a.sealedRecords(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		_, err := box.Open(r.kind, r.id, r.value)
		if errors.Is(err, seal.ErrNotSealed) {
			n++
			err = r.replace(ctx, box.Seal(r.kind, r.id, r.value))
			if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
				err = nil
			}
		}
		if err != nil {
			return n, fmt.Errorf("master key: %s %s: %w", r.kind, r.id, err)
		}
	}
	return n, nil
}

// Reseal seals everything under the first master key given that is sealed under another, and returns how many records
// those were.
func (a *App) Reseal(ctx context.Context) (n int, err error) {
	records, err := a.sealedRecords(ctx)
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		if a.box.Current(r.value) {
			continue
		}
		secret, err := a.box.Open(r.kind, r.id, r.value)
		if err == nil {
			err = r.replace(ctx, a.box.Seal(r.kind, r.id, secret))
		}
		if err != nil {
			return n, fmt.Errorf("%s %s: %w", r.kind, r.id, err)
		}
		n++
	}
	return n, nil
}

// MasterKeyID names the master key that secrets are sealed under, and tells nothing of it.
func (a *App) MasterKeyID() string { return a.box.ID().String() }
