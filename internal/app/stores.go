package app

import (
	"context"

	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/mongostore"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// openStore opens the database that the configuration names. A new kind of store is a folder below internal/store and
// a case here; config.Validate knows which URLs are possible.
func openStore(ctx context.Context, cfg *config.Config) (store.Store, error) {
	switch cfg.DatabaseKind() {
	case config.PostgreSQL:
		return sqlstore.OpenPostgres(ctx, cfg.Database, cfg.DatabaseMaxConnections)
	case config.MongoDB:
		return mongostore.Open(ctx, cfg.Database)
	default:
		return sqlstore.Open(ctx, cfg.DatabasePath())
	}
}
