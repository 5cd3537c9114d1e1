package bearer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// witness tells the log of tokens that the issuer has signed and that are refused for what they are: to a client a Config that
// is wrong looks like a bad token. Who has no such token cannot have a line written, and one who has gets one a minute.
type witness struct {
	*jwt.Verifier
	cfg  Config
	next atomic.Int64 // when there may be another line, in nanoseconds since 1970
}

func (w *witness) Verify(ctx context.Context, token string) (*jwt.Token, error) {
	t, err := w.Verifier.Verify(ctx, token)
	if err != nil && (errors.Is(err, jwt.ErrAudience) || errors.Is(err, jwt.ErrIssuer) || errors.Is(err, jwt.ErrType)) {
		w.tell(ctx, err)
	}
	return t, err
}

func (w *witness) tell(ctx context.Context, err error) {
	now := w.cfg.Now()
	next := w.next.Load()
	if now.UnixNano() < next || !w.next.CompareAndSwap(next, now.Add(time.Minute).UnixNano()) {
		return
	}
	w.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "issuer: it signed a token that is refused here",
		slog.Any("error", err), slog.String("issuer", w.cfg.Issuer), slog.String("audience", w.cfg.Audience), slog.Any("types", w.cfg.Types))
}
