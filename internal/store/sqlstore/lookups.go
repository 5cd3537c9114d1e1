package sqlstore

import "strconv"

// mapped is how much of the file those connections read as memory that look users up: the most that SQLite is built for. Of a
// large file hardly a page is in a connection's own cache of 2 MB, and to copy one from the system's takes a call: with
// 1,000,000 users a look took 2.2 times as long as with 1,000, and takes 1.3 times as long mapped.
//
// Logins and refreshes read through connections that map nothing. A connection lets go of all that it has mapped when another has
// committed, and so these, with a commit after each, would map the file anew for each read: 370 µs then against 170 µs.
//
// What is mapped counts as the process's (RssFile in /proc), but is the system's cache, and goes when memory is short. Where
// addresses have 32 bits there is no room for it.
const mapped = (2<<30 - 1<<16) * (strconv.IntSize / 64)

// lookupsAtOnce is how many of these connections there are.
const lookupsAtOnce = 2

// readerOf returns the connections that a query goes to.
func (s *Store) readerOf(query string) *reader {
	switch query {
	case selectUser, selectUserByMail, listUsers, searchFrom, searchAfter:
		return &s.lookups
	}
	return &s.read
}
