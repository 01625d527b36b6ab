// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// blameNote says what a list of durations cannot.
const blameNote = "A phase that waits for another one is in this list with the other's time, and phases overlap: " +
	"a long one need not be the one that held up the birth. --critical-path shows what did."

// Blame lists the phases of a birth, longest first, with their work and their
// waiting by kind.
func Blame(out io.Writer, c *v1alpha1.PodBirthCertificate, t Terminal) error {
	c = cleaned(c)
	p := newPage(out, t)
	shortHeader(p, c)
	if len(c.Spec.Phases) == 0 {
		p.say("No phase of this birth was heard.", dim)
		return p.flush()
	}
	all := rows(c.Spec.Phases)
	slices.SortStableFunc(all, func(a, b Row) int { return cmp.Compare(b.DurationMicroseconds, a.DurationMicroseconds) })
	wide := blameTable(all, true)
	if limit := p.limit(); limit > 0 && over(wide.widths(0), limit) > 0 {
		blameTable(all, false).write(p)
	} else {
		wide.write(p)
	}
	p.blank()
	note(p, blameNote)
	return p.flush()
}

// blameTable has a column for each kind of waiting that there was, or one for
// the longest ones where the terminal is not wide enough for that.
func blameTable(all []Row, wide bool) *table {
	t := &table{columns: []column{
		{title: "TOOK", right: true}, {title: "PHASE", rank: 3, least: 14}, {title: "ON CPU", right: true, rank: 2}, {title: "WAITED", right: true},
	}}
	kinds := kindsOf(all)
	if !wide {
		t.columns = append(t.columns, column{title: "FOR", rank: 1, least: 14})
	} else {
		for _, k := range kinds {
			t.columns = append(t.columns, column{title: strings.ToUpper(k), right: true})
		}
	}
	for _, r := range all {
		row := []text{{s: span(r.DurationMicroseconds)}, {s: r.Label()}, {s: "-"}, {s: "-"}}
		if r.WaitMicroseconds != nil {
			row[2], row[3] = text{span(r.OnCPU), onCPU}, text{span(r.Waiting), inWait}
		}
		if !wide {
			row = append(row, text{s: waitsOf(r.Waits)})
		} else {
			row = append(row, waitCells(r.Waits, kinds)...)
		}
		t.add(row...)
	}
	return t
}

// kindsOf names the kinds of waiting that any phase has, in the API's order.
func kindsOf(all []Row) []string {
	var names []string
	for _, k := range allWaits(&v1alpha1.PhaseWaits{}) {
		if slices.ContainsFunc(all, func(r Row) bool {
			return slices.ContainsFunc(waitKinds(r.Waits), func(other waitKind) bool { return other.name == k.name })
		}) {
			names = append(names, k.name)
		}
	}
	return names
}

func waitCells(w *v1alpha1.PhaseWaits, kinds []string) []text {
	out := make([]text, len(kinds))
	for i := range out {
		out[i].s = "-"
	}
	for _, k := range waitKinds(w) {
		if i := slices.Index(kinds, k.name); i >= 0 {
			out[i].s = span(k.us)
		}
	}
	return out
}

// waitsOf lists the kinds of waiting, longest first.
func waitsOf(w *v1alpha1.PhaseWaits) string {
	var out []string
	for _, k := range waitKinds(w) {
		out = append(out, k.name+" "+span(k.us))
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}

// shortHeader begins a view that is not the whole certificate.
func shortHeader(p *page, c *v1alpha1.PodBirthCertificate) {
	outcome, t := outcomeOf(&c.Spec)
	p.fact("birth of", fmt.Sprintf("%s/%s", c.Namespace, c.Spec.PodRef.Name), bold)
	p.fact("outcome", outcome, t)
	failureFacts(p, c.Spec.Failure)
	p.blank()
}

func note(p *page, s string) {
	for _, line := range wrap(s, p.picture()) {
		p.say(line, dim)
	}
}
