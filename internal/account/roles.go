package account

import (
	"fmt"
	"slices"
	"strings"
)

// The bounds on roles, which stand in every token of their user.
const (
	MaxRoles     = 32
	maxRoleBytes = 64
)

const roleCharacters = "abcdefghijklmnopqrstuvwxyz0123456789:_.-"

// AddRoles returns have with more in it, sorted, each once. It returns an error if one is no role, or they are too many.
func AddRoles(have []string, more ...string) ([]string, error) {
	for _, role := range more {
		if role == "" || len(role) > maxRoleBytes || strings.Trim(role, roleCharacters) != "" {
			return nil, fmt.Errorf("%q is no role: it has 1 to %d of the characters a-z 0-9 : _ . -", role, maxRoleBytes)
		}
	}
	roles := slices.Concat(have, more)
	slices.Sort(roles)
	if roles = slices.Compact(roles); len(roles) > MaxRoles {
		return nil, fmt.Errorf("a user has at most %d roles", MaxRoles)
	}
	return roles, nil
}
