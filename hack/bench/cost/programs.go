// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/cost/empty"
)

// account is what the kernel says that a program has taken.
type account struct {
	runs uint64
	ns   uint64
}

// accounts of the programs that a process holds, by name.
func accounts(pid int) (map[string]account, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		return nil, err
	}
	all, seen := map[string]account{}, map[ebpf.ProgramID]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue // it was closed meanwhile
		}
		id, ok := field(string(raw), "prog_id:")
		if !ok || seen[ebpf.ProgramID(id)] {
			continue
		}
		seen[ebpf.ProgramID(id)] = true
		name, a, err := accountOf(ebpf.ProgramID(id))
		if err != nil {
			return nil, err
		}
		sum := all[name]
		all[name] = account{sum.runs + a.runs, sum.ns + a.ns}
	}
	return all, nil
}

func field(text, name string) (uint64, bool) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

func accountOf(id ebpf.ProgramID) (string, account, error) {
	p, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return "", account{}, nil
	}
	if err != nil {
		return "", account{}, fmt.Errorf("look at a program: %w", err)
	}
	defer func() { _ = p.Close() }()
	a, err := accountOfProgram(p)
	if err != nil {
		return "", account{}, err
	}
	info, err := p.Info()
	if err != nil {
		return "", account{}, fmt.Errorf("look at a program: %w", err)
	}
	return info.Name, a, nil
}

func accountOfProgram(p *ebpf.Program) (account, error) {
	s, err := p.Stats()
	if err != nil {
		return account{}, fmt.Errorf("read what a program took: %w", err)
	}
	return account{s.RunCount, uint64(s.Runtime.Nanoseconds())}, nil
}

// tracers are the types of programs that listen to the machine.
var tracers = []ebpf.ProgramType{ebpf.Tracing, ebpf.RawTracepoint, ebpf.TracePoint, ebpf.Kprobe, ebpf.PerfEvent}

// othersPrograms counts the programs that listen to this machine before the bench
// has loaded any that does.
func othersPrograms() (n int) {
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue
		}
		// Those of the bench's own lean-in are loaded all the time, attached to nothing.
		if info, err := p.Info(); err == nil && slices.Contains(tracers, p.Type()) && !strings.HasPrefix(info.Name, "burst_") {
			n++
		}
		_ = p.Close()
	}
	return n
}

// hooked tells whether a process holds a program with such a name on its hook.
func hooked(pid int, prefix string) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, isLink := field(string(raw), "link_id:")
		id, ok := field(string(raw), "prog_id:")
		if !isLink || !ok {
			continue
		}
		if name, _, err := accountOf(ebpf.ProgramID(id)); err == nil && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// links counts the hooks that a process holds programs on.
func links(pid int) int {
	n := 0
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, file := range files {
		to, _ := os.Readlink(file)
		if strings.Contains(to, "bpf_link") || strings.Contains(to, "bpf-raw-tracepoint") || strings.Contains(to, "perf_event") {
			n++
		}
	}
	return n
}

// eventCosts are what each program took for a run, in ns, by what went on.
type eventCosts struct {
	// Clock is what the account says of a program that does nothing: its own two
	// readings of the clock, mostly. It is inside all others.
	Clock spread `json:"clock"`
	// Programs by phase, then by name.
	Programs map[string]map[string]programCost `json:"programs"`
}

type programCost struct {
	Ns   spread  `json:"ns"`
	Runs float64 `json:"runsPerRound"`
}

// phases in which the programs' accounts are kept apart.
const (
	phaseBystanders = "bystanders"
	phaseBirths     = "births"
	phaseLeanIn     = "lean-in"
)

func measurePrograms(ctx context.Context, b *bench) (any, error) {
	// As kernel.bpf_stats_enabled, but it ends with this process, however that ends.
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return nil, fmt.Errorf("let the kernel keep account of programs: %w", err)
	}
	defer func() { _ = stats.Close() }()
	out := eventCosts{Programs: map[string]map[string]programCost{}}
	if out.Clock, err = b.emptyAccount(); err != nil {
		return nil, err
	}
	s, err := b.observe(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.End()) }()
	if err := b.arm(ctx, s); err != nil {
		return nil, err
	}
	bystand := func() error {
		if err := b.stayArmed(); err != nil {
			return err
		}
		return b.doAll()
	}
	if out.Programs[phaseBystanders], err = b.rounds(phaseBystanders, s.PID(), bystand); err != nil {
		return nil, err
	}
	births, err := b.startBirths()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, births.close()) }()
	if out.Programs[phaseBirths], err = b.rounds(phaseBirths, s.PID(), func() error {
		_, err := births.make("", 3)
		return err
	}); err != nil {
		return nil, err
	}
	out.Programs[phaseLeanIn], err = b.leanRounds()
	return out, err
}

func (b *bench) emptyAccount() (spread, error) {
	e, err := empty.Load()
	if err != nil {
		return spread{}, err
	}
	defer func() { _ = e.Close() }()
	if err := e.OnExit(); err != nil {
		return spread{}, err
	}
	var all []float64
	for range b.scale.rounds {
		before, err := accountOfProgram(e.Program())
		if err != nil {
			return spread{}, err
		}
		if _, err := b.work.do(workloads[0], b.work.amounts[workloads[0]]); err != nil {
			return spread{}, err
		}
		after, err := accountOfProgram(e.Program())
		if err != nil {
			return spread{}, err
		}
		all = append(all, float64(after.ns-before.ns)/float64(after.runs-before.runs))
	}
	return spreadOf(all), nil
}

// rounds does something again and again, and takes from each what every program of a
// process took for a run.
func (b *bench) rounds(phase string, pid int, do func() error) (map[string]programCost, error) {
	ns, runs := map[string][]float64{}, map[string][]float64{}
	for i := range b.scale.rounds {
		b.progress("%s, round %d of %d", phase, i+1, b.scale.rounds)
		before, err := accounts(pid)
		if err != nil {
			return nil, err
		}
		if err := do(); err != nil {
			return nil, err
		}
		after, err := accounts(pid)
		if err != nil {
			return nil, err
		}
		for name, a := range after {
			if n := a.runs - before[name].runs; n > 0 {
				ns[name] = append(ns[name], float64(a.ns-before[name].ns)/float64(n))
				runs[name] = append(runs[name], float64(n))
			}
		}
	}
	all := map[string]programCost{}
	for name := range ns {
		all[name] = programCost{spreadOf(ns[name]), median(runs[name])}
	}
	return all, nil
}

func (b *bench) leanRounds() (map[string]programCost, error) {
	id, err := groupID(b.groups, groupWork)
	if err != nil {
		return nil, err
	}
	if _, err := b.lean.ask("start %d", id); err != nil {
		return nil, fmt.Errorf("lean in: %w", err)
	}
	all, err := b.rounds(phaseLeanIn, b.lean.PID(), func() error {
		_, err := b.work.do(workloads[1], b.work.amounts[workloads[1]])
		return err
	})
	_, stopped := b.lean.ask("stop %d", id)
	return all, errors.Join(err, stopped)
}
