package sqlstore

import (
	"strings"
	"testing"
)

func TestNetworkFileSystems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		magic uint32
		want  string
	}{
		{0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "SMB"}, {0xfe534d42, "SMB"}, {0x5346414f, "AFS"}, {0x6b414653, "AFS"},
		{0x00c36400, "Ceph"}, {0x01021997, "9p"}, {0x0bd00bd0, "Lustre"}, {0x01161970, "GFS2"}, {0x7461636f, "OCFS2"},
		{0x73757245, "Coda"}, {0x564c, "NCP"},
		// And those that are of this machine: ext4, XFS, Btrfs, ZFS, tmpfs, overlay, F2FS; FUSE may be.
		{0xef53, ""}, {0x58465342, ""}, {0x9123683e, ""}, {0x2fc12fc1, ""}, {0x01021994, ""}, {0x794c7630, ""}, {0xf2f52010, ""},
		{0x65735546, ""},
	} {
		if got := networked(tt.magic); got != tt.want {
			t.Errorf("%#x: %q, want %q", tt.magic, got, tt.want)
		}
	}
	err := errNetworked("/srv/c.db", "NFS")
	for _, part := range []string{"/srv/c.db", "NFS", "a disk of this machine"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v lacks %q", err, part)
		}
	}
}
