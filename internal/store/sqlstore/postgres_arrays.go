package sqlstore

import (
	"fmt"
	"strings"
)

// A statement that writes many rows at once has an array as a parameter for each column. These are their types by table.
const (
	counterTypes    = "text bigint bigint bigint bigint bigint"
	eventTypes      = "text bigint text text text text text text text text text bigint bytea"
	userTypes       = "text text text text bytea bytea text bigint bigint bigint bigint"
	credentialTypes = "text text text bytea bigint bigint bigint"
	sessionTypes    = "text text text bigint bytea text boolean text text bigint bigint bigint bigint bigint"
)

// arrays returns what makes rows of parameters from $first on.
func arrays(first int, types string) string {
	var all []string
	for i, of := range strings.Fields(types) {
		all = append(all, fmt.Sprintf("$%d::%s[]", first+i, of))
	}
	return "unnest(" + strings.Join(all, ", ") + ")"
}

// columns returns the parameters of arrays for these rows.
func columns(types string, rows [][]any) (all []any) {
	for i, of := range strings.Fields(types) {
		switch of {
		case "text":
			all = append(all, column[string](rows, i))
		case "bigint":
			all = append(all, column[int64](rows, i))
		case "boolean":
			all = append(all, column[bool](rows, i))
		default:
			all = append(all, column[[]byte](rows, i))
		}
	}
	return all
}

func column[T any](rows [][]any, i int) []T {
	values := make([]T, len(rows))
	for j, row := range rows {
		values[j] = row[i].(T)
	}
	return values
}
