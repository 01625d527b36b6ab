// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// join puts recordings of one limit together, as if each had begun where the one before
// ended: at the first moment from then on at which a period is as far on as it was.
func join(all []event.Recording) event.Recording {
	out := all[0]
	out.Bursts, out.After = slices.Clone(out.Bursts), slices.Clone(out.After)
	for _, r := range all[1:] {
		by := int64(out.To) - int64(r.From)
		if len(out.Before) > 0 && len(r.Before) > 0 && out.Before[0].Period > 0 {
			period := int64(out.Before[0].Period)
			off := (int64(out.Before[0].Expires) - int64(r.Before[0].Expires) - by) % period
			by += (off + period) % period
		}
		for _, b := range r.Bursts {
			b.Woken, b.Ended = uint64(int64(b.Woken)+by), uint64(int64(b.Ended)+by)
			out.Bursts = append(out.Bursts, b)
		}
		out.To = uint64(int64(r.To) + by)
		for i := range min(len(out.After), len(r.After), len(r.Before)) {
			out.After[i].Periods += r.After[i].Periods - r.Before[i].Periods
			out.After[i].Throttled += r.After[i].Throttled - r.Before[i].Throttled
			out.After[i].Usage += r.After[i].Usage - r.Before[i].Usage
		}
	}
	return out
}

// joined is what the recordings of all repeats at each limit recommend together.
// recs[r][i] is of repeat r at the i-th limit.
func (p *player) joined(recs [][]event.Recording) []float64 {
	var out []float64
	for at := range recs[0] {
		var all []event.Recording
		for _, row := range recs {
			all = append(all, row[at])
		}
		out = append(out, p.advise(join(all)).Limit)
	}
	return out
}
