package sqlstore

import "fmt"

// networked names the network file systems by the numbers that Linux gives them (statfs(2), linux/magic.h). SQLite's
// write-ahead log needs memory that all processes share that have the file open, and locks that hold: on a file that
// several machines reach neither is certain, and what is lost is the database.
//
// FUSE (0x65735546) is not among them: the number says nothing about where the data lies, and much that is local is FUSE.
// [PlaceOf] tells of it.
func networked(magic uint32) string {
	switch magic {
	case 0x6969:
		return "NFS"
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "SMB"
	case 0x5346414f, 0x6b414653:
		return "AFS"
	case 0x00c36400:
		return "Ceph"
	case 0x01021997:
		return "9p"
	case 0x0bd00bd0:
		return "Lustre"
	case 0x01161970:
		return "GFS2"
	case 0x7461636f:
		return "OCFS2"
	case 0x73757245:
		return "Coda"
	case 0x564c:
		return "NCP"
	}
	return ""
}

// errNetworked says that a database cannot be where it is.
func errNetworked(path, name string) error {
	return fmt.Errorf("database: %s is on a network file system (%s), where SQLite loses data: "+
		"put it on a disk of this machine, or use PostgreSQL or MongoDB for several machines", path, name)
}

// Place is where a database lies.
type Place struct {
	// Known says that the system tells of it.
	Known bool
	// FUSE says that the file system is a program, whose data may be anywhere.
	FUSE bool
	// Free is how many bytes may still be written there.
	Free int64
}
