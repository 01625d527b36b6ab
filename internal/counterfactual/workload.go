// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"cmp"
	"slices"
	"sort"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// cpusMax bounds what a replay of a machine with very many CPUs costs.
const cpusMax = 256

// least is the CPU time (ns) that a burst has at least: a burst that was charged
// none still ran.
const least = 500

// spanMax bounds the time (ns) that is replayed.
const spanMax = 600_000_000_000

// workload is a recording, made ready to be replayed at any limit.
type workload struct {
	config Config
	bursts []event.Burst // by thread, of one thread by Woken
	thread []int32       // of each burst
	// first burst of each thread, and one past the last of all.
	first []int
	// tireless threads wanted a CPU throughout the recording.
	tireless []bool
	from     uint64
	cgroup   uint64
	language string
	span     int64 // nanoseconds
	cpus     int
	plan     *plan
	// others are plans under other readings: streams that could be either open or
	// closed are closed, or no other cgroup takes CPU time. The interval covers them.
	others []*plan
	taken  float64 // the part of its CPU time (0..1) that other cgroups took
	closed float64
	bounds []bound
	acts   []activation
	// saturated: throttled in nearly all periods.
	saturated bool
	of        []int32 // the activation of each burst
	mother    []bool  // bursts whose progress releases others
	giver     []int32 // of each activation, once it was asked for
	// kappa is how much of the work that an open stream would have brought came in
	// the recording's stalls; kappaClosed, what a closed one would have.
	kappa, kappaClosed float64
	kappaErr           float64
	judged             []*stream
	stalls             []stalled
}

// bound is a level's bandwidth as recorded.
type bound struct {
	quota, period, burst int64
	next                 int64
	moves                bool    // with the container's own quota
	others               int64   // what other cgroups use of it, per period
	share                float64 // of its periods that were throttled
}

func newWorkload(r event.Recording, c Config) *workload {
	w := &workload{config: c, from: r.From, cgroup: r.Cgroup, language: r.Language}
	if r.To > r.From {
		w.span = min(int64(r.To-r.From), spanMax)
	}
	w.cpus = min(max(r.CPUs, 1), cpusMax)
	w.bounds = bounds(r)
	if b := w.busiest(); b != nil {
		w.saturated = b.share >= nearlyAlways
	}
	w.order(r.Bursts)
	w.build()
	return w
}

// order sorts bursts by thread.
func (w *workload) order(bursts []event.Burst) {
	w.bursts = append([]event.Burst(nil), bursts...)
	slices.SortFunc(w.bursts, func(x, y event.Burst) int {
		return cmp.Or(cmp.Compare(x.TID, y.TID), cmp.Compare(x.Woken, y.Woken), cmp.Compare(x.Ended, y.Ended))
	})
	w.thread = make([]int32, len(w.bursts))
	for i := range w.bursts {
		if i == 0 || w.bursts[i].TID != w.bursts[i-1].TID {
			w.first = append(w.first, i)
		}
		w.thread[i] = int32(len(w.first) - 1)
	}
	w.first = append(w.first, len(w.bursts))
}

// during finds the burst of a thread that was going on at a time, -1 if none.
func (w *workload) during(tid uint32, at uint64) int {
	n := len(w.first) - 1
	t := sort.Search(n, func(t int) bool { return w.bursts[w.first[t]].TID >= tid })
	if t == n || w.bursts[w.first[t]].TID != tid {
		return -1
	}
	lo, hi := w.first[t], w.first[t+1]
	i := lo + sort.Search(hi-lo, func(i int) bool { return w.bursts[lo+i].Woken > at }) - 1
	if i < lo || w.bursts[i].Ended < at {
		return -1
	}
	return i
}

// ownBurst is the recorded burst setting of the container's own cgroup.
func ownBurst(r event.Recording) int64 {
	if len(r.Before) == 0 {
		return 0
	}
	return int64(r.Before[0].Burst)
}

// bounds are the levels of a recording.
func bounds(r event.Recording) []bound {
	var list []bound
	for i, g := range r.Before {
		if g.Period == 0 {
			g.Period = 100_000_000 // the default of both versions of cgroups
		}
		b := bound{quota: int64(g.Quota), period: int64(g.Period), burst: int64(g.Burst)}
		if g.Expires > 0 {
			b.next = phase(int64(g.Expires)-int64(r.From), b.period)
		} else {
			b.next = b.period
		}
		// The kubelet sets a pod's quota to the sum of its containers', so it is at
		// least the container's and moves with it. A smaller one was set by hand.
		b.moves = i == 0 || i == 1 && g.Quota >= r.Before[0].Quota
		if i > 0 {
			b.others = others(r, i, b.period)
		}
		if i < len(r.After) && r.After[i].Periods > g.Periods {
			b.share = float64(r.After[i].Throttled-g.Throttled) / float64(r.After[i].Periods-g.Periods)
		}
		list = append(list, b)
	}
	return list
}

// phase is the first time after 0 at which a timer of a period runs.
func phase(t, period int64) int64 {
	t %= period
	if t <= 0 {
		t += period
	}
	return t
}

// others is what cgroups other than the container used of an ancestor's quota.
func others(r event.Recording, i int, period int64) int64 {
	if i >= len(r.After) || len(r.After) == 0 || r.To <= r.From {
		return 0
	}
	all := int64(r.After[i].Usage) - int64(r.Before[i].Usage)
	own := int64(r.After[0].Usage) - int64(r.Before[0].Usage)
	if own >= all {
		return 0
	}
	return int64(float64(all-own) * float64(period) / float64(r.To-r.From))
}

// levels are the model's levels with another quota of the own cgroup.
func (w *workload) levels(quota, burst int64) []*level {
	var list []*level
	for i, b := range w.bounds {
		q := b.quota
		switch {
		case i == 0:
			q, b.burst = quota, burst
		case b.moves && quota == 0:
			q = 0
		case b.moves:
			q += quota - w.bounds[0].quota
		}
		if q <= 0 {
			continue
		}
		q = max(q-b.others, q/100, 1)
		list = append(list, newLevel(q, b.period, b.burst, b.next, int64(w.config.Slice), w.cpus))
	}
	return list
}
