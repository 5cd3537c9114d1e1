package app

import (
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// openStore opens the database that the configuration names. A new kind of store is a folder below internal/store and
// a case here; config.Validate knows which URLs are possible.
func openStore(ctx context.Context, cfg *config.Config) (store.Store, error) {
	switch kind := cfg.DatabaseKind(); kind {
	case config.SQLite:
		return sqlstore.Open(ctx, cfg.DatabasePath())
	case config.PostgreSQL:
		return sqlstore.OpenPostgres(ctx, cfg.Database, cfg.DatabaseMaxConnections)
	default:
		return nil, fmt.Errorf("database: %s cannot be used yet", kind)
	}
}
