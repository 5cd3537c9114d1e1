package passport

import "context"

// Identity is a user and how the guard came to know it.
type Identity[U any] struct {
	User U
	// Strategy is the registered name of the strategy that succeeded.
	Strategy string
	// Info is what the strategy learned besides the user; nil when it told nothing.
	Info any
	// Also holds the other identities of a [Registry.All] guard, in order.
	Also []Identity[U]
}

// Keys of their own type for each user type, so that a person and a machine can both be known in one request.
type (
	identityKey[U any] struct{}
	accountKey[U any]  struct{}
	infoKey            struct{}
)

// identityContext carries an identity. A type of its own makes it one allocation instead of three.
type identityContext[U any] struct {
	context.Context
	id      Identity[U]
	account bool
}

func (c *identityContext[U]) Value(key any) any {
	switch key.(type) {
	case identityKey[U]:
		if !c.account {
			return &c.id
		}
	case accountKey[U]:
		if c.account {
			return &c.id
		}
	case infoKey:
		if !c.account {
			return c.id.Info
		}
	}
	return c.Context.Value(key)
}

// WithIdentity returns a context in which [UserFrom], [IdentityFrom] and [InfoFrom] find id. Guards do this after a
// success; tests of handlers may do it, too.
func WithIdentity[U any](ctx context.Context, id Identity[U]) context.Context {
	return &identityContext[U]{Context: ctx, id: id}
}

// Context returns ctx with the identity of a success, or with the account under [Options].Authorize. After anything but
// a success it returns ctx as it is.
func (res Result[U]) Context(ctx context.Context) context.Context {
	if res.Kind != Succeeded {
		return ctx
	}
	return &identityContext[U]{Context: ctx, id: res.Identity, account: res.account}
}

// UserFrom returns the user of type U that a guard found. Without a success in this request it reports false.
func UserFrom[U any](ctx context.Context) (U, bool) {
	id, ok := ctx.Value(identityKey[U]{}).(*Identity[U])
	if !ok {
		var none U
		return none, false
	}
	return id.User, true
}

// IdentityFrom returns the user of type U that a guard found, with the name and the info of the strategy.
func IdentityFrom[U any](ctx context.Context) (Identity[U], bool) {
	id, ok := ctx.Value(identityKey[U]{}).(*Identity[U])
	if !ok {
		return Identity[U]{}, false
	}
	return *id, true
}

// InfoFrom returns the info of the innermost guard's strategy, when it is of type T: for bearer a *jwt.Token.
func InfoFrom[T any](ctx context.Context) (T, bool) {
	info, ok := ctx.Value(infoKey{}).(T)
	return info, ok
}

// AccountFrom returns the account that a guard with [Options].Authorize attached.
func AccountFrom[U any](ctx context.Context) (Identity[U], bool) {
	id, ok := ctx.Value(accountKey[U]{}).(*Identity[U])
	if !ok {
		return Identity[U]{}, false
	}
	return *id, true
}
