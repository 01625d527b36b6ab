// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/cost"
)

// statsSysctl is on where the kernel counts the run time of programs anyway.
const statsSysctl = "/proc/sys/kernel/bpf_stats_enabled"

// Costs are what all BPF programs and maps of this process cost, those that hear
// bursts included: they are found among its open files, so that none is left out.
type Costs struct {
	mu    sync.Mutex
	names map[string]string // by the program's id
}

// Always implements cost.Programs.
func (*Costs) Always() bool {
	raw, err := os.ReadFile(statsSysctl)
	return err == nil && strings.TrimSpace(string(raw)) == "1"
}

// Count implements cost.Programs: BPF_ENABLE_STATS of Linux 5.8, for whoever has
// CAP_SYS_ADMIN.
func (*Costs) Count() (io.Closer, error) {
	c, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return nil, fmt.Errorf("have the run time of BPF programs counted (needs CAP_SYS_ADMIN, or sysctl kernel.bpf_stats_enabled=1): %w", err)
	}
	return c, nil
}

// CountsTime says where the run times of programs come from, for who did not ask
// a cost.Keeper.
func CountsTime() cost.Source {
	var c Costs
	if c.Always() {
		return cost.SourceAlways
	}
	counting, err := c.Count()
	if err != nil {
		return cost.SourceNone
	}
	_ = counting.Close() // it was open for a moment, and nothing was read
	return cost.SourceSampled
}

// Read implements cost.Programs. Programs that are closed meanwhile are left out.
func (c *Costs) Read() ([]cost.Program, uint64, error) {
	const files = "/proc/self/fd"
	all, err := os.ReadDir(files)
	if err != nil {
		return nil, 0, fmt.Errorf("list the observer's own BPF objects: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var programs []cost.Program
	var memory uint64
	seen := map[string]bool{}
	for _, f := range all {
		of, err := os.Readlink(filepath.Join(files, f.Name()))
		if err != nil || of != "anon_inode:bpf-prog" && of != "anon_inode:bpf-map" {
			continue
		}
		info := fileInfo(f.Name())
		id := of + info["prog_id"] + info["map_id"]
		if len(info) == 0 || seen[id] {
			continue
		}
		seen[id] = true
		memory += number(info["memlock"])
		if info["prog_id"] == "" {
			continue
		}
		programs = append(programs, cost.Program{
			Name: c.name(f.Name(), info["prog_id"]),
			Time: time.Duration(number(info["run_time_ns"])), Runs: number(info["run_cnt"]),
		})
	}
	return programs, memory, nil
}

// fileInfo is what the kernel tells of an open file: a name and a value per line.
func fileInfo(fd string) map[string]string {
	f, err := os.Open("/proc/self/fdinfo/" + fd)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	info := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok {
			info[name] = strings.TrimSpace(value)
		}
	}
	return info
}

func number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0 // a kernel that does not tell it
	}
	return n
}

// name of a program, of which the kernel keeps 15 bytes. It is asked once.
func (c *Costs) name(fd, id string) string {
	if name, ok := c.names[id]; ok {
		return name
	}
	name, err := askName(fd)
	if err != nil {
		return "unknown" // it was closed meanwhile
	}
	if c.names == nil {
		c.names = map[string]string{}
	}
	c.names[id] = name
	return name
}

// askName asks by a copy of the file descriptor: the program's owner keeps its own.
func askName(fd string) (string, error) {
	n, err := strconv.Atoi(fd)
	if err != nil {
		return "", fmt.Errorf("file descriptor %s: %w", fd, err)
	}
	dup, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("copy a file descriptor: %w", err)
	}
	p, err := ebpf.NewProgramFromFD(dup)
	if err != nil {
		return "", fmt.Errorf("open a program: %w", err)
	}
	info, err := p.Info()
	if err := errors.Join(err, p.Close()); err != nil {
		return "", fmt.Errorf("read a program's name: %w", err)
	}
	return info.Name, nil
}
