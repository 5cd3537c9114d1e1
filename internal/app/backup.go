package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// Backup writes a copy of the database to file, beside a server that runs. The master key is not in it.
func Backup(ctx context.Context, cfg *config.Config, file string) (sqlstore.Copy, error) {
	if err := onlySQLite(cfg); err != nil {
		return sqlstore.Copy{}, err
	}
	return sqlstore.Backup(ctx, cfg.DatabasePath(), file)
}

// Restore puts a backup in the place of the database. With force it does so when there is a database, which it keeps.
func Restore(ctx context.Context, cfg *config.Config, file string, force, keepSessions bool) (r sqlstore.Restored, err error) {
	if err := onlySQLite(cfg); err != nil {
		return r, err
	}
	return sqlstore.Restore(ctx, file, cfg.DatabasePath(), sqlstore.Restoring{Replace: force, KeepSessions: keepSessions, Now: time.Now()})
}

func onlySQLite(cfg *config.Config) error {
	tools := map[config.DatabaseKind]string{config.PostgreSQL: "pg_dump and pg_restore", config.MongoDB: "mongodump and mongorestore"}
	if tool, ok := tools[cfg.DatabaseKind()]; ok {
		return fmt.Errorf("%s is not a file: use %s, or `countersign export`", cfg.DatabaseName(), tool)
	}
	return nil
}

// SchemaVersions are those of a database and of this binary.
type SchemaVersions struct {
	Current int64 `json:"current"`
	Newest  int64 `json:"newest"`
}

// Schema returns the versions as they are, and changes nothing. Current is 0 for an empty database.
func Schema(ctx context.Context, cfg *config.Config) (v SchemaVersions, err error) {
	s, err := openAsIs(ctx, cfg)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return schemaOf(ctx, s)
}

func schemaOf(ctx context.Context, s store.Store) (v SchemaVersions, err error) {
	v.Current, v.Newest, err = s.Schema(ctx)
	return v, err
}

// empty reports whether not even the tables are there.
func (v SchemaVersions) empty() bool { return v.Current == 0 }

// Empty reports whether no server has ever used the database, and nobody has put users into it: to open it with [Open] would make
// keys in it.
func Empty(ctx context.Context, cfg *config.Config) (empty bool, err error) {
	s, err := openAsIs(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	v, err := schemaOf(ctx, s)
	if err != nil || v.empty() || v.Current < v.Newest {
		return v.empty(), err
	}
	if _, err := s.Secret(ctx, markerName); !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	users, err := s.ListUsers(ctx, "", 1)
	return len(users) == 0, err
}

// Migrate brings the schema up to date, as a start of the server does, and returns the version that it had.
func Migrate(ctx context.Context, cfg *config.Config) (from int64, to SchemaVersions, err error) {
	was, err := Schema(ctx, cfg)
	if err != nil {
		return 0, to, err
	}
	s, err := OpenStore(ctx, cfg)
	if err != nil {
		return 0, to, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	to, err = schemaOf(ctx, s)
	return was.Current, to, err
}
