// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
)

// State of the observer beside a workload.
const (
	stateNothing = "nothing" // none: the noise
	stateRest    = "at rest"
	stateBirths  = "births"
	stateAnother = "lean-in on another"
	stateItself  = "lean-in on itself"
)

var states = []string{stateNothing, stateRest, stateBirths, stateAnother, stateItself}

// slowdowns are ratios of the time with the observer to that without, by state and
// workload.
type slowdowns struct {
	Wall map[string]map[string]spread `json:"wall"`
	CPU  map[string]map[string]spread `json:"cpu"`
	// Each is how long one unit of a workload takes without the observer, in ns.
	Each map[string]float64 `json:"each"`
}

// block is one measurement of every workload.
type block map[string]measured

func (b *bench) block() (block, error) {
	all := block{}
	for _, name := range workloads {
		m, err := b.work.do(name, b.work.amounts[name])
		if err != nil {
			return nil, err
		}
		all[name] = m
	}
	return all, nil
}

func measureSlowdown(ctx context.Context, b *bench) (any, error) {
	out := slowdowns{Wall: map[string]map[string]spread{}, CPU: map[string]map[string]spread{}, Each: map[string]float64{}}
	for i, state := range states {
		var with, without []block
		for pair := range b.scale.pairs {
			b.progress("%s (%d of %d), pair %d of %d", state, i+1, len(states), pair+1, b.scale.pairs)
			err := inTurn(pair, func() error {
				m, err := b.block()
				without = append(without, m)
				return err
			}, func() error {
				m, err := b.blockIn(ctx, state)
				with = append(with, m)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", state, err)
			}
		}
		out.Wall[state], out.CPU[state] = compare(with, without)
		for _, name := range workloads {
			out.Each[name] = median(figures(without, name, func(m measured) float64 { return m.wall })) / float64(b.work.amounts[name])
		}
	}
	return out, b.clearPods()
}

func figures(all []block, name string, of func(measured) float64) (out []float64) {
	for _, m := range all {
		out = append(out, of(m[name]))
	}
	return out
}

func compare(with, without []block) (wall, cpu map[string]spread) {
	wall, cpu = map[string]spread{}, map[string]spread{}
	for _, name := range workloads {
		byWall, byCPU := func(m measured) float64 { return m.wall }, func(m measured) float64 { return m.cpu }
		wall[name] = spreadOf(ratios(figures(with, name, byWall), figures(without, name, byWall)))
		cpu[name] = spreadOf(ratios(figures(with, name, byCPU), figures(without, name, byCPU)))
	}
	return wall, cpu
}

// blockIn measures while the observer is in a state, which begins and ends here.
func (b *bench) blockIn(ctx context.Context, state string) (m block, err error) {
	if state == stateNothing {
		return b.block()
	}
	s, err := b.observe(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end(s)) }()
	switch state {
	case stateBirths:
		if err := b.arm(ctx, s); err != nil {
			return nil, err
		}
		m, err := b.block()
		if !armed(s) {
			err = errors.Join(err, errors.New("the observer ceased to hear system calls meanwhile"))
		}
		return m, err
	case stateAnother:
		return b.leaningIn(groupRival) // nobody is in there now
	case stateItself:
		return b.leaningIn(groupWork)
	}
	return b.block()
}

func (b *bench) leaningIn(path string) (block, error) {
	id, err := groupID(b.groups, path)
	if err != nil {
		return nil, err
	}
	if _, err := b.lean.ask("start %d", id); err != nil {
		return nil, fmt.Errorf("lean in: %w", err)
	}
	m, err := b.block()
	_, stopped := b.lean.ask("stop %d", id)
	return m, errors.Join(err, stopped)
}
