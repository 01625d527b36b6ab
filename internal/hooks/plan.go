// SPDX-License-Identifier: Apache-2.0

package hooks

// Offer is what a running kernel offers, as whoever probed it found.
type Offer struct {
	// Refuses is called for a rung and tells why it cannot be had, in a few words for
	// people ("the kernel has no such tracepoint"); empty: it can.
	Refuses func(Hook, Way) string
	// BTFFile: the types are those of a file, not the kernel's own, so that the
	// latter's absence takes nothing more away.
	BTFFile bool
	// Preempts: programs on raw tracepoints may be preempted (Linux 7).
	Preempts bool
}

// Refusal is a rung that was passed over, and why.
type Refusal struct {
	Way Way    `json:"way"`
	Why string `json:"why"`
}

// Choice is the rung that a hook stands on.
type Choice struct {
	Hook  Hook   `json:"hook"`
	Hears string `json:"hears"`
	Way   Way    `json:"way"`
	// Loses is what a user does not get, in one sentence; empty: nothing.
	Loses string `json:"loses,omitempty"`
	// Refused are the better rungs, best first.
	Refused []Refusal `json:"refused,omitempty"`
}

// Plan is what was chosen, in the order of the ladders.
type Plan []Choice

// Way of a hook; Off if the plan does not have it.
func (p Plan) Way(h Hook) Way {
	for _, c := range p {
		if c.Hook == h {
			return c.Way
		}
	}
	return Off
}
