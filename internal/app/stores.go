package app

import (
	"context"

	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/mongostore"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// openAsIs opens the database that is there and makes nothing in it, nor brings its schema up to date.
func openAsIs(ctx context.Context, cfg *config.Config) (store.Store, error) {
	switch cfg.DatabaseKind() {
	case config.PostgreSQL:
		return sqlstore.OpenPostgresAsIs(ctx, cfg.Database, cfg.DatabaseMaxConnections)
	case config.MongoDB:
		return mongostore.OpenAsIs(ctx, cfg.Database)
	default:
		return sqlstore.OpenAsIs(cfg.DatabasePath())
	}
}

// OpenStore opens the database that the configuration names, and makes nothing in it but its tables: it is for those who move
// what is in it, and [Open] for all others. A new kind of store is a folder below internal/store and a case here; package
// config knows which URLs are possible.
func OpenStore(ctx context.Context, cfg *config.Config) (store.Store, error) {
	switch cfg.DatabaseKind() {
	case config.PostgreSQL:
		return sqlstore.OpenPostgres(ctx, cfg.Database, cfg.DatabaseMaxConnections)
	case config.MongoDB:
		return mongostore.Open(ctx, cfg.Database)
	default:
		return sqlstore.Open(ctx, cfg.DatabasePath())
	}
}
