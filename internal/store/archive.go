package store

import "context"

// Account is a user with what belongs to it.
type Account struct {
	User        User
	Credentials []Credential
	Sessions    []Session
}

// Archive moves what a store holds out of it and into another one, as it is.
type Archive interface {
	// Accounts returns at most limit accounts in the order of their users' ids, from the first id greater than after, each with
	// its credentials in the order of method and key and its sessions in that of their ids.
	Accounts(ctx context.Context, after string, limit int) ([]Account, error)
	// AddAccounts writes accounts as they are, versions included, each whole or not at all. Errs has an entry for each: nil, or
	// ErrExists when an id, an address or a credential of it is taken. Err is a technical fault, after which some may be
	// written and others not; to write the same again does no harm.
	AddAccounts(ctx context.Context, accounts ...Account) (errs []error, err error)
	// ListCounters returns at most limit counters in the order of their keys, from the first key greater than after, expired
	// ones among them.
	ListCounters(ctx context.Context, after string, limit int) ([]Counter, error)
	// ListSecrets returns all secrets in the order of their names.
	ListSecrets(ctx context.Context) ([]Secret, error)
}
