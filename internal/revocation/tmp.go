package revocation

const EntrySize = 8
