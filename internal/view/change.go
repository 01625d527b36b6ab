// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"io"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Change of a container's CPU that somebody is about to make, and what is known
// of its effect.
type Change struct {
	Namespace, Pod, Node, Container string
	// Whisper that the change comes from.
	Whisper string
	// LimitFrom, LimitTo, RequestFrom and RequestTo in millicores, 0 for none.
	// Equal ones are not changed.
	LimitFrom, LimitTo, RequestFrom, RequestTo int64
	// RequestWhy is why the request moves though nobody proposed it.
	RequestWhy string
	// QoS class of the pod, which a resize cannot change.
	QoS string
	// Restarts is true if the pod's resize policy restarts the container.
	Restarts bool
	// Predicted effect: one entry at the very limit, two on either side of
	// a limit that the curve does not have, none where it is not known.
	Predicted []v1alpha1.Predicted
	// Unpredicted is why there is no prediction.
	Unpredicted string
	// Target that the proposal is to meet, and whether more may be needed.
	Target     *v1alpha1.Target
	LowerBound bool
	// Owners of the pod, the nearest first, such as "ReplicaSet web-6d5f8".
	Owners []string
	// Template is what the change does not touch, and how to change that.
	Template string
	// Commands that change the template for good.
	Commands []string
}

// WriteChange tells of a change before it is made.
func WriteChange(out io.Writer, c *Change, t Terminal) error {
	p := newPage(out, t)
	p.fact("resize", Clean(fmt.Sprintf("%s/%s, container %s, in place on %s", c.Namespace, c.Pod, c.Container, c.Node)), bold)
	p.fact("whisper", Clean(c.Whisper), plain)
	p.fact("limit", movement(c.LimitFrom, c.LimitTo), toneOfMove(c.LimitFrom, c.LimitTo))
	request := movement(c.RequestFrom, c.RequestTo)
	if c.RequestWhy != "" && c.RequestFrom != c.RequestTo {
		request += "; " + c.RequestWhy
	}
	p.fact("request", request, toneOfMove(c.RequestFrom, c.RequestTo))
	effect(p, c)
	if c.QoS != "" {
		p.fact("QoS class", Clean(c.QoS)+", which stays", plain)
	}
	if c.Restarts {
		p.fact("restart", "the pod's resizePolicy restarts the container when its CPU changes", bad)
	} else {
		p.fact("restart", "none: processes run on", plain)
	}
	p.fact("untouched", Clean(c.Template), plain)
	for _, command := range c.Commands {
		p.raw(factIndent + "  " + Clean(command)) // never broken: it is to be copied
	}
	return p.flush()
}

func movement(from, to int64) string {
	if from == to {
		return orNone(from) + ", stays"
	}
	return orNone(from) + " → " + orNone(to)
}

func toneOfMove(from, to int64) tone {
	if from == to {
		return plain
	}
	return bold
}

// effect tells what is predicted at the new limit.
func effect(p *page, c *Change) {
	switch len(c.Predicted) {
	case 0:
		p.fact("predicted", "nothing: "+Clean(c.Unpredicted), inWait)
	case 1:
		p.fact("predicted", Clean(predictionOf(&c.Predicted[0])), plain)
	default:
		for i := range c.Predicted {
			x := &c.Predicted[i]
			p.fact("predicted", Clean("at "+Millicores(x.LimitMillicores)+": "+predictionOf(x)), plain)
		}
	}
	if c.Target != nil && len(c.Predicted) > 0 {
		p.fact("target", Clean(targetOf(*c.Target)), plain)
	}
	if c.LowerBound {
		p.fact("more?", "a lower bound: more may be needed, and is measured again at the new limit", inWait)
	}
}

// Outcome sets what was predicted for a change beside what was measured after it.
func Outcome(out io.Writer, o *v1alpha1.ChangeOutcome, t Terminal) error {
	o = cleaned(o)
	p := newPage(out, t)
	writeOutcome(p, o)
	return p.flush()
}
