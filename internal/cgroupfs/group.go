// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// ErrGone is event.ErrGone: a cgroup no longer exists, or has no CPU bandwidth of its
// own.
var ErrGone = event.ErrGone

const (
	noFile = -1
	// usageFile is in another hierarchy than the rest where cgroup v1 has both apart.
	usageFile = "cpuacct.usage"
)

// fileMax is more than any of the files that are read has, in bytes.
const fileMax = 4096

// ReadGroup reads a cgroup's CPU bandwidth, usage and pressure. Which cgroup is
// said by its id alone. It fails with ErrGone if there is none with that id (any
// more), or the cpu controller does not look after it. What the files do not tell
// (when the period's timer runs, and ticks) stays 0.
func (t *Tree) ReadGroup(id, _ uint64) (event.Group, error) {
	t.mu.Lock()
	n := t.byID[id]
	t.mu.Unlock()
	if n == nil {
		return event.Group{}, ErrGone
	}
	n.files.mu.Lock()
	defer n.files.mu.Unlock()
	r := groupReader{hierarchy: t.hierarchy, node: n, dir: noFile}
	g, err := r.read(t.options.Now)
	g.Cgroup = id
	r.closeDir()
	if err != nil || !t.mayKeep(&n.files) {
		n.files.forget(t)
	}
	return g, err
}

// groupReader reads the files of one cgroup.
type groupReader struct {
	hierarchy Hierarchy
	node      *node
	space     [fileMax]byte
	dir       int // of the cgroup, opened when it is first needed
}

func (r *groupReader) read(now func() uint64) (g event.Group, err error) {
	g.Time = now()
	if r.hierarchy.V2 {
		return g, r.readV2(&g)
	}
	return g, r.readV1(&g)
}

// open opens a file of the cgroup.
func (r *groupReader) open(name string) (int, error) {
	if name == usageFile && r.hierarchy.Usage != r.hierarchy.Root {
		// The same cgroup in another hierarchy: by its path only. Runtimes make them
		// in all.
		return openFile(unix.AT_FDCWD, r.hierarchy.Usage+r.node.path+"/"+name)
	}
	if r.dir == noFile {
		dir, err := openDir(r.hierarchy.Root + r.node.path)
		if err != nil {
			return noFile, err
		}
		r.dir = dir
		var stat unix.Stat_t
		if err := unix.Fstat(dir, &stat); err != nil || stat.Ino != r.node.inode {
			return noFile, unix.ENOENT // another one of the same name
		}
	}
	return openFile(r.dir, name)
}

func (r *groupReader) closeDir() {
	if r.dir != noFile {
		_ = unix.Close(r.dir)
	}
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

func (r *groupReader) readV1(g *event.Group) error {
	for _, f := range []struct {
		name  string
		parse func([]byte) error
	}{
		{"cpu.cfs_quota_us", func(raw []byte) error { return parseQuota(raw, g) }},
		{"cpu.cfs_period_us", func(raw []byte) (err error) { g.Period, err = number(raw); g.Period *= perMicrosecond; return err }},
		{"cpu.stat", func(raw []byte) error { return parseStat(raw, g) }},
		{"cpu.shares", func(raw []byte) (err error) { g.Shares, err = number(raw); return err }},
		{usageFile, func(raw []byte) (err error) { g.Usage, err = number(raw); return err }},
	} {
		if err := r.file(f.name, f.parse); err != nil {
			return err
		}
	}
	return r.optional("cpu.cfs_burst_us", func(raw []byte) (err error) { g.Burst, err = number(raw); g.Burst *= perMicrosecond; return err })
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

// optional is for files that older kernels, or those built otherwise, do not have: it
// is remembered that they are not there. PSI that is switched off at the start has
// files that cannot be read.
func (r *groupReader) optional(name string, parse func([]byte) error) error {
	if fd, known := r.node.files.fds[name]; known && fd == noFile {
		return nil
	}
	err := r.file(name, parse)
	if errors.Is(err, ErrGone) || errors.Is(err, unix.EOPNOTSUPP) {
		r.node.files.keep(name, noFile)
		return nil
	}
	return err
}

// content reads a file that may be open since it was read before: to open it costs
// twice as much as to read it, and this is done once a second for each container.
func (r *groupReader) content(name string) ([]byte, error) {
	if r.node.files.closed {
		return nil, ErrGone
	}
	fd, known := r.node.files.fds[name]
	if !known {
		var err error
		if fd, err = r.open(name); err != nil {
			return nil, gone(err)
		}
		r.node.files.keep(name, fd)
	}
	n, err := ignoringEINTR(func() (int, error) { return unix.Pread(fd, r.space[:], 0) })
	if err != nil {
		return nil, gone(err)
	}
	return r.space[:n], nil
}

func openFile(dir int, name string) (int, error) {
	return ignoringEINTR(func() (int, error) { return unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
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
