// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// Diagnose completes a report: what its facts and its hooks come to, and what
// would mend it.
func (r *Report) Diagnose() {
	r.APIVersion, r.Kind = APIVersion, NodeKind
	r.Verdict = Judge(r.Hooks)
	r.Mends = mends(r)
}

// Judge is the verdict on a plan.
func Judge(p hooks.Plan) Verdict {
	var programs, files, loses bool
	for _, c := range p {
		switch c.Way {
		case hooks.Typed, hooks.Raw, hooks.Tracepoint, hooks.TestRun, hooks.Filter:
			programs = true
		case hooks.Inotify, hooks.Poll, hooks.Files:
			files = true
		default: // a buffer or an inference hears nothing by itself
		}
		loses = loses || c.Loses != ""
	}
	switch {
	case programs && !loses:
		return Full
	case programs:
		return Degraded
	case files:
		return Floor
	}
	return Deaf
}

// Worst of some verdicts; empty of none.
func Worst(all ...Verdict) Verdict {
	order := Verdicts()
	worst := -1
	for _, v := range all {
		worst = max(worst, slices.Index(order, v))
	}
	if worst < 0 {
		return ""
	}
	return order[worst]
}

// Loss is a sentence on what a user does not get, and whose it is.
type Loss struct {
	Hooks []hooks.Hook
	Loses string
}

// Losses of a plan, each sentence once, in the order of the ladders.
func Losses(p hooks.Plan) []Loss {
	var out []Loss
	for _, c := range p {
		if c.Loses == "" {
			continue
		}
		i := slices.IndexFunc(out, func(l Loss) bool { return l.Loses == c.Loses })
		if i < 0 {
			out = append(out, Loss{Loses: c.Loses})
			i = len(out) - 1
		}
		out[i].Hooks = append(out[i].Hooks, c.Hook)
	}
	return out
}
