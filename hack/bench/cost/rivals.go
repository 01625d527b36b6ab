// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

//go:embed births.bt
var birthsScript []byte

// rival is what listens to births: the observer, or what one would take instead.
type rival struct {
	name string
	// needs is the program without which it cannot be measured.
	needs string
	// command listens beside the births; nil for one that wraps them.
	command func(b *bench) *exec.Cmd
	// wrapper goes before each runc.
	wrapper string
	// ready tells when it listens, by its output so far; nil: by its hooks.
	ready func(output string) bool
	end   syscall.Signal
}

const (
	nobody   = "nobody"
	observed = "kernel-observer"
)

func rivals() []rival {
	return []rival{
		{name: nobody},
		{name: observed},
		{name: "bpftrace births.bt", needs: "bpftrace", end: syscall.SIGINT, command: func(b *bench) *exec.Cmd {
			c := exec.Command("bpftrace", filepath.Join(b.folder, "births.bt"))
			c.Env = append(os.Environ(), "BPFTRACE_MAP_KEYS_MAX=100000")
			return c
		}, ready: func(output string) bool { return strings.Contains(output, "ready") }},
		{name: "strace -c -f", needs: "strace", wrapper: "strace -c -f -q -o /dev/null"},
		{name: "perf trace -s -a", needs: "perf", end: syscall.SIGINT, command: func(*bench) *exec.Cmd {
			return exec.Command("perf", "trace", "-s", "-a")
		}},
		{name: "ig trace exec", needs: "ig", end: syscall.SIGTERM, command: func(*bench) *exec.Cmd {
			// Namespaces of its own: what it mounts does not stay, and some machines hide
			// from root which namespaces their first process is in, that it asks for.
			return exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
				"ig", "trace", "exec", "--host", "--auto-mount-filesystems")
		}, ready: func(output string) bool {
			return strings.Contains(output, "PCOMM") || strings.Contains(output, "COMM ")
		}},
	}
}

// rivalRow is a rival beside the same births.
type rivalRow struct {
	Name string `json:"name"`
	// Missing is why it was not measured.
	Missing string `json:"missing,omitempty"`
	// Wall and CPU are ratios to the births that nobody listens to; that of CPU counts
	// who listens as well.
	Wall spread `json:"wall"`
	CPU  spread `json:"cpu"`
	// Extra is the CPU time that a birth costs more, and Own the part of it that who
	// listens used itself, in ms.
	Extra spread `json:"extra"`
	Own   spread `json:"own"`
	// Bystander is what a system call of others costs more meanwhile, in ns.
	Bystander spread `json:"bystander"`
	// Memory is the working set of its cgroup at the end, BPF maps included, in MiB.
	Memory float64 `json:"memory"`
}

func measureRivals(ctx context.Context, b *bench) (any, error) {
	if err := os.WriteFile(filepath.Join(b.folder, "births.bt"), birthsScript, 0o600); err != nil {
		return nil, err
	}
	births, err := b.startBirths()
	if err != nil {
		return nil, err
	}
	defer func() { _ = births.close() }()
	if _, err := births.make("", 2); err != nil { // what only the first has to do
		return nil, err
	}
	var rows []rivalRow
	for _, r := range rivals() {
		row := rivalRow{Name: r.name}
		if r.needs != "" {
			if _, err := exec.LookPath(r.needs); err != nil {
				row.Missing = r.needs + " is not on this machine"
				rows = append(rows, row)
				continue
			}
		}
		if err := b.rival(ctx, r, births, &row); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			row.Missing = err.Error()
		}
		rows = append(rows, row)
		if err := b.clearPods(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (b *bench) rival(ctx context.Context, r rival, births *births, row *rivalRow) error {
	var with, without []birthsIn
	var heard, unheard []float64
	blocks := b.scale.blocks
	if r.command == nil && r.wrapper == "" {
		blocks *= 2 // the smallest differences
	}
	for pair := range blocks {
		b.progress("%s, pair %d of %d", r.name, pair+1, blocks)
		err := inTurn(pair, func() error {
			return b.takeBlock(births, "", &without, &unheard)
		}, func() error {
			return b.beside(ctx, r, row, func() error { return b.takeBlock(births, r.wrapper, &with, &heard) })
		})
		if err != nil {
			return err
		}
	}
	of := func(all []birthsIn, f func(birthsIn) float64) (out []float64) {
		for _, in := range all {
			out = append(out, f(in))
		}
		return out
	}
	wall, cpu := func(in birthsIn) float64 { return in.wall }, func(in birthsIn) float64 { return in.cpu }
	row.Wall, row.CPU = spreadOf(ratios(of(with, wall), of(without, wall))), spreadOf(ratios(of(with, cpu), of(without, cpu)))
	ms := func(in birthsIn) float64 { return in.cpu / 1e6 }
	row.Extra = spreadOf(differences(of(with, ms), of(without, ms)))
	row.Own = spreadOf(of(with, func(in birthsIn) float64 { return in.listener / 1e6 }))
	row.Bystander = spreadOf(differences(heard, unheard))
	return nil
}

// takeBlock makes a block of births, and a bystander's system calls after it.
func (b *bench) takeBlock(births *births, wrapper string, into *[]birthsIn, bystander *[]float64) error {
	in, err := births.make(wrapper, b.scale.births, "observer", groupRival)
	if err != nil {
		return err
	}
	ns, err := b.syscall()
	*into, *bystander = append(*into, in), append(*bystander, ns)
	return err
}

// beside does something while a rival listens.
func (b *bench) beside(ctx context.Context, r rival, row *rivalRow, do func() error) error {
	if r.name == observed {
		return b.whileObserved(ctx, func(s *subject.Subject) error {
			err := errors.Join(b.arm(ctx, s), do())
			row.Memory = b.memory("observer")
			return err
		})
	}
	if r.command == nil {
		return do()
	}
	output, err := os.Create(filepath.Join(b.folder, "rival.out"))
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	c := r.command(b)
	c.Stdout, c.Stderr = output, output
	s, err := subject.Start(b.groups, groupRival, c)
	if err != nil {
		return err
	}
	if err := b.awaitReady(ctx, r, s, output.Name()); err != nil {
		return errors.Join(err, s.EndBy(syscall.SIGKILL), fmt.Errorf("it said: %s", lastLine(output.Name())))
	}
	err = do()
	row.Memory = b.memory(groupRival)
	_ = s.EndBy(r.end) // its exit code says nothing here
	return err
}

func (b *bench) memory(path string) float64 {
	n, err := b.groups.WorkingSet(path)
	if err != nil {
		return 0
	}
	return float64(n) / (1 << 20)
}

// awaitReady waits until a rival listens: it says so, or the number of its hooks
// grows no longer.
func (b *bench) awaitReady(ctx context.Context, r rival, s *subject.Subject, output string) error {
	hooks, since := 0, time.Now()
	for deadline := time.Now().Add(time.Minute); ; {
		if err := s.Wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if r.ready != nil {
			raw, _ := os.ReadFile(output)
			if r.ready(string(raw)) {
				return nil
			}
		} else if n := links(s.PID()); n != hooks {
			hooks, since = n, time.Now()
		} else if n > 0 && time.Since(since) > time.Second {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("it does not begin to listen")
		}
	}
}

func lastLine(file string) (last string) {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if t := strings.TrimSpace(lines.Text()); t != "" {
			last = t
		}
	}
	return last
}
