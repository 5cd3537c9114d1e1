package sqlstore

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// listenPause is how long a listener waits to connect again, each time twice as long up to maxListenPause.
	listenPause    = 100 * time.Millisecond
	maxListenPause = 30 * time.Second
	// probeEvery is how often a connection on which nothing comes is asked whether it is still there.
	probeEvery = 30 * time.Second
)

// Watch implements [store.Watcher]. It has a connection of its own. Behind a pooler that gives each transaction another
// connection nothing would come, and it calls nobody.
func (p *Postgres) Watch(ctx context.Context, changed func(), log *slog.Logger) {
	if p.pooled {
		<-ctx.Done()
		return
	}
	for pause := listenPause; ctx.Err() == nil; pause = min(2*pause, maxListenPause) {
		began := time.Now()
		err := p.listen(ctx, changed)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxListenPause {
			pause = listenPause
		}
		log.LogAttrs(ctx, slog.LevelWarn, "the database does not tell of other nodes' changes, which are seen a little later",
			slog.Any("error", err), slog.Duration("again_in", pause))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// listen calls changed for each thing that other nodes tell, until the connection breaks or ctx ends.
func (p *Postgres) listen(ctx context.Context, changed func()) error {
	conn, err := connectWithin(ctx, p.config)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectPatience)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN countersign"); err != nil {
		return err
	}
	changed() // for what was told while nobody listened
	for {
		quiet, err := wait(ctx, conn)
		switch {
		case err != nil:
			return err
		case !quiet:
			changed()
		}
	}
}

func connectWithin(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	return pgx.ConnectConfig(ctx, config)
}

// wait waits for a notification. When none comes for long, it returns whether the server is still there.
func wait(ctx context.Context, conn *pgx.Conn) (quiet bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, probeEvery)
	defer cancel()
	if _, err = conn.WaitForNotification(waiting); err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return false, err
	}
	probing, cancelProbe := context.WithTimeout(ctx, connectPatience)
	defer cancelProbe()
	return true, conn.Ping(probing)
}
