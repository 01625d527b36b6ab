// SPDX-License-Identifier: Apache-2.0

package counterfactual

import "sort"

const (
	// atOnce is how far apart (ns) the wakes of two threads by one clock are at most.
	atOnce = 500_000
	// apart is by how much (ns) the ends before must differ for that to tell anything.
	apart = 2_000_000
	// oftenAtOnce is how many such wakes tell, if they are most of those that can.
	oftenAtOnce = 4
	// comparedMost bounds how many threads each is compared with.
	comparedMost = 16
)

// together finds threads that timers wake at the same moments although they had not
// finished at the same moments: a clock wakes them, and no pause after their work.
func (w *workload) together(streams []*stream) {
	var timed []*stream
	for _, s := range streams {
		if s.verdict == unsure && naps(&w.bursts[w.acts[s.acts[0]].first]) {
			timed = append(timed, s)
		}
	}
	for _, s := range timed {
		at, can := 0, 0
		for _, other := range timed[:min(len(timed), comparedMost)] {
			if other != s {
				a, c := w.coincide(s, other)
				at, can = max(at, a), max(can, c)
			}
		}
		if at >= oftenAtOnce && 2*at > can {
			s.verdict = open
		}
	}
}

// coincide counts the wakes of a stream that another's came with, and those that
// could have told: the activations before had ended at different times.
func (w *workload) coincide(s, other *stream) (at, can int) {
	for k := 1; k < len(s.acts); k++ {
		woken := w.acts[s.acts[k]].woken
		n := sort.Search(len(other.acts), func(n int) bool { return w.acts[other.acts[n]].woken > woken-atOnce })
		if n == 0 || n == len(other.acts) {
			continue
		}
		ends := w.acts[s.acts[k-1]].ended - w.acts[other.acts[n-1]].ended
		if ends < apart && ends > -apart {
			continue
		}
		can++
		if w.acts[other.acts[n]].woken < woken+atOnce {
			at++
		}
	}
	return at, can
}
