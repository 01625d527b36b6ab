// SPDX-License-Identifier: Apache-2.0

package view

import (
	"io"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// CriticalPath lists the phases that held up a birth in the order of their
// beginnings, and the time that none of them explains: together its duration.
func CriticalPath(out io.Writer, c *v1alpha1.PodBirthCertificate, t Terminal) error {
	c = cleaned(c)
	p := newPage(out, t)
	shortHeader(p, c)
	chain := slices.DeleteFunc(rows(c.Spec.Phases), func(r Row) bool { return !r.Critical() })
	if len(chain) == 0 {
		p.say("The critical path of this birth is not known.", dim)
		return p.flush()
	}
	slices.SortStableFunc(chain, func(a, b Row) int { return int(a.StartMicroseconds - b.StartMicroseconds) })
	total := c.Spec.KernelStats.DurationMicroseconds
	chainTable(chain, total).write(p)
	p.blank()
	note(p, "CRITICAL is the part of a phase without which the birth would have been shorter by as much; of phases within each other the innermost has it.")
	return p.flush()
}

const shareWidth = 20

func chainTable(chain []Row, total int64) *table {
	t := &table{columns: []column{
		{title: "AT", right: true, rank: 2}, {title: "PHASE", rank: 4, least: 14}, {title: "CRITICAL", right: true},
		{title: "SHARE", right: true}, {title: "", rank: 1}, {title: "WAITED FOR", rank: 3, least: 8},
	}}
	rest := total
	for _, r := range chain {
		us := r.CriticalMicroseconds
		rest -= us
		t.add(text{s: milliseconds(r.StartMicroseconds)}, text{s: r.Label()}, text{s: milliseconds(us)},
			text{s: percent(us, total)}, text{shareBar(us, total), critical}, text{mostWaited(r.Waits), inWait})
	}
	if rest > 0 {
		t.add(text{}, text{"(no phase)", dim}, text{s: milliseconds(rest)}, text{s: percent(rest, total)}, text{shareBar(rest, total), dim}, text{})
	}
	sum := max(total, total-rest) // more than the duration only if the certificate says so
	t.add(text{}, text{"birth", bold}, text{milliseconds(sum), bold}, text{percent(sum, total), bold}, text{}, text{})
	return t
}

func shareBar(part, whole int64) string {
	if whole <= 0 {
		return ""
	}
	n := min(shareWidth, int((part*shareWidth+whole/2)/whole))
	return strings.Repeat("█", n)
}
