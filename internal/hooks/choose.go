// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"slices"
)

// Choose says on which rung each hook stands: the best one that is neither taken
// away nor refused, and of whose own needs none is missing.
func Choose(offer Offer, without Without) Plan {
	ladders := offer.Ladders()
	plan := make(Plan, 0, len(ladders))
	for _, l := range ladders {
		plan = append(plan, choose(ladders, l, offer, without))
	}
	return plan
}

func choose(all []Ladder, l Ladder, offer Offer, without Without) Choice {
	c := Choice{Hook: l.Hook, Hears: l.Hears}
	for _, r := range l.Rungs {
		if r.Way != Off {
			if why := refuses(all, l.Hook, r.Way, offer, without); why != "" {
				c.Refused = append(c.Refused, Refusal{r.Way, why})
				continue
			}
		}
		c.Way, c.Loses = r.Way, r.Loses
		break
	}
	return c
}

func refuses(all []Ladder, h Hook, w Way, offer Offer, without Without) string {
	if name := without.takes(h, w, offer.BTFFile); name != "" {
		return fmt.Sprintf("switched off by --without %s", name)
	}
	if offer.Refuses != nil {
		if why := offer.Refuses(h, w); why != "" {
			return why
		}
	}
	return needs(all, h, w, offer, without)
}

// needs says what else would have to be heard for this rung, if it is not.
func needs(all []Ladder, h Hook, w Way, offer Offer, without Without) string {
	way := func(other Hook) Way {
		i := slices.IndexFunc(all, func(l Ladder) bool { return l.Hook == other })
		return choose(all, all[i], offer, without).Way
	}
	switch {
	case w.BPF() && h != Events && way(Events) == Off:
		return "no events can travel"
	case (w == Typed || w == Tracepoint && h == SysExit) && way(Events) != RingBuffer:
		return "only with the ring buffer"
	case w == Inferred && way(Exec) == Off:
		return fmt.Sprintf("%s is not heard", Exec)
	case h == Bursts && w == Typed && !way(Bandwidth).Run():
		return "no program can be run to look at what runs"
	}
	return ""
}

// Loses are the sentences of what the hooks lose on their rungs, each once, in the
// order of the plan; of all hooks if none is named.
func (p Plan) Loses(h ...Hook) []string {
	var all []string
	for _, c := range p {
		if c.Loses != "" && (len(h) == 0 || slices.Contains(h, c.Hook)) && !slices.Contains(all, c.Loses) {
			all = append(all, c.Loses)
		}
	}
	return all
}
