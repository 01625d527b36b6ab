// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Plan is on which rung each hook stands, why on no better one, and what that loses.
// Of the ways that are not BPF it only says that they are left: they are the caller's.
func (p *Probe) Plan() hooks.Plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.plan)
}

func (p *Probe) choose() { p.plan = hooks.Choose(p.offered.offer(p.failed), p.without) }

// fail notes that a rung did not hold, and chooses anew.
func (p *Probe) fail(h hooks.Hook, w hooks.Way, err error) {
	why, _, _ := strings.Cut(err.Error(), "\n")
	const most = 200
	p.failed[rung{h, w}] = why[:min(len(why), most)]
	p.choose()
}

// attachAll loads the programs of all hooks and attaches them; those that are heard
// only during births are detached again, once it is known that they can be attached.
func (p *Probe) attachAll(limited error) error {
	var first error
	for _, at := range stands {
		if at.hook == hooks.Fork { // who joins a cgroup is settled
			if err := p.setConstants(); err != nil {
				return err
			}
		}
		if err := p.climb(at); err != nil && first == nil {
			first = err
		}
	}
	if p.hears() || first == nil {
		return nil
	}
	return explainLoad(first, limited)
}

// climb puts a hook on the best rung that holds, and returns why the first one that
// did not hold did not.
func (p *Probe) climb(at stand) error {
	var first error
	for way := p.plan.Way(at.hook); way.Program(); way = p.plan.Way(at.hook) {
		err := p.try(at, way)
		if err == nil {
			break
		}
		if first == nil {
			first = err
		}
		p.fail(at.hook, way, err)
	}
	return first
}

func (p *Probe) try(at stand, way hooks.Way) error {
	prog, err := p.objects.program(at.name, way)
	if err != nil {
		return explain(fmt.Sprintf("load %s/%s", way, at.hook), err)
	}
	s := &standing{stand: at, way: way, program: prog}
	if err := s.attach(); err != nil {
		return errors.Join(err, s.close())
	}
	if at.births {
		if err := s.detach(); err != nil {
			return errors.Join(err, s.close())
		}
	}
	p.stands = append(p.stands, s)
	return nil
}

// setConstants is done once, for the first program that refers to them.
func (p *Probe) setConstants() error {
	if p.objects.loaded[constants] != nil {
		return nil
	}
	return p.objects.setConstants(p.plan.Way(hooks.CgroupAttach) == hooks.Inferred)
}

// hopeless tells why nothing of BPF can be had, if that is known beforehand.
func (p *Probe) hopeless(limited error) error {
	if p.hears() {
		return nil
	}
	const what = "load the BPF programs"
	for _, name := range []string{hooks.WithoutBPF, hooks.WithoutBTF} {
		if p.without.Has(name) && (name != hooks.WithoutBTF || !p.offered.foreign) {
			return &Error{ErrSwitchedOff, fmt.Sprintf("%s: switched off by --without %s", what, name), ErrSwitchedOff}
		}
	}
	if p.offered.types == nil {
		return &Error{ErrNoBTF, what + ": " + p.offered.withoutTypes(), p.offered.noTypes}
	}
	// What is not permitted may look like what is not there.
	for _, way := range []hooks.Way{hooks.Raw, hooks.PerfBuffer, hooks.RingBuffer} {
		if err := p.offered.ways[way]; err != nil {
			return explainLoad(err, limited)
		}
	}
	return &Error{ErrSwitchedOff, what + ": none is left that is not switched off or missing here", ErrSwitchedOff}
}

// hears is true if the plan has any program that could tell anything.
func (p *Probe) hears() bool {
	return p.plan.Way(hooks.Events) != hooks.Off && (p.plan.Way(hooks.Bandwidth).Run() ||
		slices.ContainsFunc(p.plan, func(c hooks.Choice) bool { return c.Way.Program() && c.Hook != hooks.Bursts }))
}
