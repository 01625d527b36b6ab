// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// ErrGone says that a cgroup no longer exists, or has no CPU bandwidth of its own.
var ErrGone = errors.New("cgroup is gone")

// fileMax is more than any of the files that are read has, in bytes.
const fileMax = 4096

// ReadGroup reads a cgroup's CPU bandwidth, usage and pressure. Which cgroup is
// said by its id alone. It fails with ErrGone if there is none with that id (any
// more), or the cpu controller does not look after it. What the files do not tell
// (when the period's timer runs, and ticks) stays 0.
func (t *Tree) ReadGroup(id, _ uint64) (event.Group, error) {
	t.mu.Lock()
	n := t.byID[id]
	var path string
	var inode uint64
	if n != nil {
		path, inode = n.path, n.inode
	}
	t.mu.Unlock()
	if n == nil {
		return event.Group{}, ErrGone
	}
	r := groupReader{now: t.options.Now}
	g, err := r.read(t.hierarchy, path, inode)
	g.Cgroup = id
	return g, err
}

// groupReader reads the files of one cgroup.
type groupReader struct {
	now   func() uint64
	space [fileMax]byte
	dir   int
}

func (r *groupReader) read(h Hierarchy, path string, inode uint64) (g event.Group, err error) {
	if r.dir, err = openDir(h.Root + path); err != nil {
		return g, gone(err)
	}
	defer func() { _ = unix.Close(r.dir) }()
	var stat unix.Stat_t
	if err := unix.Fstat(r.dir, &stat); err != nil || stat.Ino != inode {
		return g, ErrGone // another one of the same name
	}
	g.Time = r.now()
	if h.V2 {
		return g, r.readV2(&g)
	}
	return g, r.readV1(h, path, &g)
}

func (r *groupReader) readV2(g *event.Group) error {
	// First what only a cgroup of the controller has: cpu.stat is in every one.
	if err := r.file("cpu.max", func(raw []byte) error { return parseMax(raw, g) }); err != nil {
		return err
	}
	if err := r.file("cpu.stat", func(raw []byte) error { return parseStat(raw, g) }); err != nil {
		return err
	}
	var weight uint64
	if err := r.file("cpu.weight", func(raw []byte) (err error) { weight, err = number(raw); return err }); err != nil {
		return err
	}
	g.Shares = shares(weight)
	return errors.Join(
		r.optional("cpu.max.burst", func(raw []byte) (err error) { g.Burst, err = number(raw); g.Burst *= perMicrosecond; return err }),
		r.optional("cpu.pressure", func(raw []byte) (err error) { g.Pressure, err = parsePressure(raw); return err }),
	)
}

func (r *groupReader) readV1(h Hierarchy, path string, g *event.Group) error {
	for _, f := range []struct {
		name  string
		parse func([]byte) error
	}{
		{"cpu.cfs_quota_us", func(raw []byte) error { return parseQuota(raw, g) }},
		{"cpu.cfs_period_us", func(raw []byte) (err error) { g.Period, err = number(raw); g.Period *= perMicrosecond; return err }},
		{"cpu.stat", func(raw []byte) error { return parseStat(raw, g) }},
		{"cpu.shares", func(raw []byte) (err error) { g.Shares, err = number(raw); return err }},
	} {
		if err := r.file(f.name, f.parse); err != nil {
			return err
		}
	}
	err := r.optional("cpu.cfs_burst_us", func(raw []byte) (err error) { g.Burst, err = number(raw); g.Burst *= perMicrosecond; return err })
	if err != nil {
		return err
	}
	usage := func(raw []byte) (err error) { g.Usage, err = number(raw); return err }
	if h.Usage == h.Root {
		return r.file("cpuacct.usage", usage)
	}
	// The same cgroup in another hierarchy: by its path only. Runtimes make them
	// in all.
	at := r.dir
	if r.dir, err = openDir(h.Usage + path); err != nil {
		r.dir = at
		return gone(err)
	}
	defer func() { _ = unix.Close(r.dir); r.dir = at }()
	return r.file("cpuacct.usage", usage)
}

// file reads a control file and hands its content on.
func (r *groupReader) file(name string, parse func([]byte) error) error {
	raw, err := r.content(name)
	if err != nil {
		return err
	}
	if err := parse(raw); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// optional is for files that older kernels, or those built otherwise, do not have.
// PSI that is switched off at the start has files that cannot be read.
func (r *groupReader) optional(name string, parse func([]byte) error) error {
	err := r.file(name, parse)
	if errors.Is(err, ErrGone) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

func (r *groupReader) content(name string) ([]byte, error) {
	fd, err := ignoringEINTR(func() (int, error) { return unix.Openat(r.dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, gone(err)
	}
	defer func() { _ = unix.Close(fd) }()
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, r.space[:]) })
	if err != nil {
		return nil, gone(err)
	}
	return r.space[:n], nil
}

func openDir(path string) (int, error) {
	return ignoringEINTR(func() (int, error) {
		return unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	})
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// gone tells apart what is not there from what cannot be read: a file of a cgroup
// that is being removed is there and has no content (ENODEV).
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return ErrGone
	}
	return fmt.Errorf("read a cgroup: %w", err)
}
