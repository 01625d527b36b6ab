// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Layout of struct linux_dirent64 (getdents64(2)).
const (
	direntLength = 16
	direntType   = 18
	direntName   = 19
)

// folders tells the folders among directory entries, but for the two that every
// folder has. Their inode numbers are in the entries: nothing has to be looked up.
func folders(raw []byte, tell func(name string, inode uint64)) {
	for len(raw) > direntName {
		size := int(binary.NativeEndian.Uint16(raw[direntLength:]))
		if size <= direntName || size > len(raw) {
			return
		}
		name := raw[direntName:size]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if raw[direntType] == unix.DT_DIR && string(name) != "." && string(name) != ".." {
			tell(string(name), binary.NativeEndian.Uint64(raw))
		}
		raw = raw[size:]
	}
}
