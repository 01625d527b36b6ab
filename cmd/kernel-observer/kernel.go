// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroupfs"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// kernel is what the observer hears with: BPF as far as this machine lets it, and
// the cgroup file system for the rest.
type kernel struct {
	observer.Kernel
	// read hands over what all of them hear.
	read  func(context.Context, func(event.Event)) error
	bpf   *probe.Probe   // nil on the floor
	tree  *cgroupfs.Tree // nil where nothing is heard by it
	log   *slog.Logger
	terms terms

	mu   sync.Mutex // guards what follows
	plan hooks.Plan
}

// terms are what a plan is made of.
type terms struct {
	without hooks.Without
	btfFile bool
	// preempts is hooks.Offer.Preempts.
	preempts bool
	// noBPF is why there is none, noFiles why the cgroup file system cannot be used.
	noBPF, noFiles error
	// held is what BPF was found to give; failed is what failed later.
	held   hooks.Plan
	failed map[hooks.Hook]map[hooks.Way]string
}

// openKernel begins to hear. It fails where neither BPF nor the cgroup file system
// can be used.
func openKernel(o *options, log *slog.Logger) (*kernel, error) {
	k := &kernel{log: log, terms: terms{without: o.taken, btfFile: o.btf != "", preempts: probe.Preempts(), failed: map[hooks.Hook]map[hooks.Way]string{}}}
	hierarchy, err := cgroupfs.Find(o.cgroupRoot)
	k.terms.noFiles = err
	k.bpf, k.terms.noBPF = probe.Load(probe.Options{Runtimes: o.runtimes, Without: o.taken, BTF: o.btf})
	if k.terms.noBPF != nil && k.terms.noFiles != nil {
		return nil, fmt.Errorf("%w; and without BPF: %w", k.terms.noBPF, k.terms.noFiles)
	}
	if k.bpf != nil {
		k.terms.held = k.bpf.Plan()
	}
	k.plan = k.terms.plan()
	if k.bpf == nil && k.plan.Way(hooks.CgroupMkdir) == hooks.Off && k.plan.Way(hooks.Bandwidth) == hooks.Off {
		return nil, fmt.Errorf("%w; and all that the cgroup file system would tell is switched off", k.terms.noBPF)
	}
	if err := k.compose(hierarchy); err != nil {
		return nil, errors.Join(err, k.close())
	}
	k.say()
	return k, nil
}

// plan is on which rung each hook stands.
func (t *terms) plan() hooks.Plan {
	return hooks.Choose(hooks.Offer{BTFFile: t.btfFile, Preempts: t.preempts, Refuses: t.refuses}, t.without)
}

func (t *terms) refuses(h hooks.Hook, w hooks.Way) string {
	const most = 200
	switch why := t.failed[h][w]; {
	case why != "":
		return why
	case w.BPF() && t.noBPF != nil:
		return firstLine(t.noBPF, most)
	case byFiles(w) && t.noFiles != nil:
		return firstLine(t.noFiles, most)
	}
	for _, c := range t.held {
		for _, r := range c.Refused {
			if c.Hook == h && r.Way == w && w.BPF() {
				return r.Why
			}
		}
	}
	return ""
}

func byFiles(w hooks.Way) bool { return w == hooks.Inotify || w == hooks.Poll || w == hooks.Files }

func firstLine(err error, most int) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line[:min(len(line), most)]
}

// compose joins what hears.
func (k *kernel) compose(h cgroupfs.Hierarchy) error {
	m := &mixed{Probe: k.bpf, watches: map[event.Kind]bool{
		event.CgroupMkdir: byFiles(k.plan.Way(hooks.CgroupMkdir)),
		event.CgroupRmdir: byFiles(k.plan.Way(hooks.CgroupRmdir)),
	}, bandwidth: k.plan.Way(hooks.Bandwidth)}
	if k.terms.noFiles == nil && (k.bpf == nil || m.bandwidth == hooks.Files || m.watching()) {
		tree, err := cgroupfs.Open(h, k.treeOptions())
		if err != nil {
			return err
		}
		k.tree, m.tree = tree, tree
	}
	k.join(m)
	if m.bandwidth == hooks.Off {
		k.Kernel = unread{k.Kernel, k.tree != nil}
	}
	return nil
}

func (k *kernel) treeOptions() cgroupfs.Options {
	options := cgroupfs.Options{Way: hooks.Off, Now: probe.Now, Changed: k.watchesFailed, Log: k.log}
	for _, hook := range []hooks.Hook{hooks.CgroupMkdir, hooks.CgroupRmdir} {
		if w := k.plan.Way(hook); options.Way == hooks.Off && byFiles(w) {
			options.Way = w
		}
	}
	if k.plan.Way(hooks.Bandwidth).Run() {
		options.Locate = k.bpf.Locate
	}
	return options
}

func (k *kernel) join(m *mixed) {
	switch {
	case k.bpf == nil:
		k.Kernel, k.read = cgroupfs.Floor{Tree: k.tree}, k.tree.Read
	case k.tree == nil:
		k.Kernel, k.read = k.bpf, k.bpf.Read
	default:
		k.Kernel, k.read = m, m.read
	}
}

// watchesFailed goes on by polling. The tree's lock is held.
func (k *kernel) watchesFailed(_ hooks.Way, why error) {
	k.refuse(hooks.CgroupMkdir, hooks.Inotify, why)
	k.refuse(hooks.CgroupRmdir, hooks.Inotify, why)
	k.log.Warn("cgroups cannot be watched any more and are polled", "error", why)
}

// refuse notes that a rung does not hold.
func (k *kernel) refuse(h hooks.Hook, w hooks.Way, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.terms.failed[h] == nil {
		k.terms.failed[h] = map[hooks.Way]string{}
	}
	const most = 200
	k.terms.failed[h][w] = firstLine(why, most)
	k.plan = k.terms.plan()
}

// ReadGroups reads cgroups, all at once where that can be done.
func (k *kernel) ReadGroups(of []event.CgroupRef, into []event.Reading) {
	observer.ReadGroups(k.Kernel, of, into)
}

// Plan is how the kernel is heard now.
func (k *kernel) Plan() hooks.Plan {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.plan
}

// say warns once of all that is lost, and of what would mend it.
func (k *kernel) say() {
	plan := k.Plan()
	for _, c := range plan {
		if len(c.Refused) > 0 && c.Way != hooks.Off {
			k.log.Debug("a lesser way", "hook", c.Hook, "way", c.Way, "because", c.Refused[0].Why)
		}
	}
	if k.bpf == nil {
		// What processes do follows from there being none.
		lost := plan.Loses(hooks.CgroupMkdir, hooks.CgroupRmdir, hooks.Exec, hooks.Bandwidth, hooks.Bursts)
		k.log.Warn("nothing is heard with BPF: births are told by cgroups and the API server only, throttling by counters only",
			"error", k.terms.noBPF, "lost", strings.Join(lost, "; "))
	} else if lost := plan.Loses(); len(lost) > 0 {
		k.log.Warn("this kernel lets some things be heard in a lesser way (kernel-observer doctor says why)", "lost", strings.Join(lost, "; "))
	}
}

// close ends all hearing.
func (k *kernel) close() error {
	var errs []error
	if k.tree != nil {
		errs = append(errs, k.tree.Close())
	}
	if k.bpf != nil {
		if err := k.bpf.Close(); err != nil {
			errs = append(errs, fmt.Errorf("unload the BPF programs: %w", err))
		}
	}
	return errors.Join(errs...)
}
