//go:build !unix

package sqlstore

// locks are none: Windows replaces no file that anybody has open.
type locks struct{}

func lockAll(string) (locks, error) { return locks{}, nil }

func (locks) Close() error { return nil }
