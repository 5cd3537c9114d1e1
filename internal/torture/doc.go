// Package torture has servers meet the faults that docs/faults.md lists: the real binary, in processes of their own, on every
// kind of database, under load. Whatever happens, what a client was told has been done is there afterwards, nothing is half
// made, and requests that need no database are answered.
//
// It consists of tests. They are short, unless TORTURE=long stands in the environment, as `make torture` has it.
package torture
