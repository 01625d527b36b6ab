// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Bounds of proposals.
const (
	// nextStep: what a container wants beyond a limit that stopped it nearly always
	// is not known, so the limit at least doubles until that can be seen.
	nextStep = 2
	// spare: at a little less than the proposed limit the target is met as well, because
	// the model errs by some percent to either side and the curve is steep there. The
	// replay's curve has its margin just below that, and a point that fails below.
	spare = 0.06
	// A limit is only lowered on much evidence: a recording of giveBackRecorded ms
	// with giveBackBursts activations of which none was lost, the upper bounds of
	// the prediction within the target, and at least this share of the limit saved.
	giveBackRecorded = 5_000
	giveBackBursts   = 100
	giveBackShare    = 0.30
	// requestStep (millicores) that a proposed request is rounded up to.
	requestStep = 10
)

// proposal is nil where nothing is to be changed at the container.
func proposal(s *scene, t Target, causes []v1alpha1.Cause) *v1alpha1.Proposal {
	p := &v1alpha1.Proposal{
		ContainerName: s.spec.ContainerName, CurrentLimitMillicores: s.limit, Target: t.forAPI(),
	}
	if s.bursts != nil {
		p.CurrentRequestMillicores = max(s.bursts.RequestMillicores, 0)
	}
	if !s.contention() {
		s.proposeLimit(p, t)
		// A burst setting defers a demand that is above the limit, and then it is spent.
		if !slices.Contains(causes, v1alpha1.CauseLimitTooLow) {
			s.proposeBurst(p, t)
		}
	}
	for _, c := range causes {
		s.proposeRequest(p, c)
	}
	if p.LimitMillicores == nil && p.RequestMillicores == nil && p.BurstMicroseconds == nil {
		return nil
	}
	return p
}

// pending keeps the proposal of before a change until that was measured: the
// outcome is held against it, whatever is recorded meanwhile.
func pending(w *v1alpha1.KernelWhisper, next *v1alpha1.Proposal) *v1alpha1.Proposal {
	if c := w.Spec.Change; c != nil && c.Measured == nil && w.Status.Proposal != nil {
		return w.Status.Proposal.DeepCopy()
	}
	return next
}

func (s *scene) proposeLimit(p *v1alpha1.Proposal, t Target) {
	if len(s.curve) == 0 || s.limit <= 0 || s.truth.ThrottledAt == v1alpha1.ThrottledAtAncestor {
		return
	}
	if limit := s.betterLimit(t); limit > 0 {
		p.LimitMillicores, p.Predicted = &limit, s.curve.at(limit)
		p.LowerBound = s.lowerBound
	}
}

// proposeBurst tells what was computed for the default target, where that does
// for the one in force.
func (s *scene) proposeBurst(p *v1alpha1.Proposal, t Target) {
	burst := s.burst()
	if burst != nil && *burst > 0 && s.truth.ThrottledAt != v1alpha1.ThrottledAtAncestor && t.atMostAsStrictAs(DefaultTarget()) {
		p.BurstMicroseconds = new(*burst)
	}
}

// betterLimit is 0 where the present limit is to stay, or no limit that was
// replayed would do.
func (s *scene) betterLimit(t Target) int64 {
	best := s.bestLimit(t)
	switch {
	case s.lowerBound:
		step := min(max(s.curveEnd(best), saturatedProduct(s.limit, nextStep)), s.cpus())
		return above(step, s.limit)
	case best > s.limit:
		return best
	default:
		return s.giveBack(t)
	}
}

// curveEnd stands in for a best limit where the curve has none.
func (s *scene) curveEnd(best int64) int64 {
	if best > 0 {
		return best
	}
	return s.curve.greatest()
}

// bestLimit meets the target in nine of ten windows like the recorded one, with
// something to spare where the curve is dense enough to tell; 0 if none does. One that
// just meets it in the recording would miss it in about every third window after that.
func (s *scene) bestLimit(t Target) int64 {
	return s.curve.smallest(func(p point) bool {
		less, near := s.curve.near(int64(float64(p.limit) * (1 - spare)))
		return t.met(p.throttledOften, whole(p.stallOften)) && (!near || t.met(less.throttledOften, whole(less.stallOften)))
	})
}

// giveBack is the limit that would do as well where the present one is far too
// high, or 0.
func (s *scene) giveBack(t Target) int64 {
	c := s.spec.Counterfactual
	if s.lowerBound || s.bursts == nil || s.bursts.Lost > 0 || c.RecordedMilliseconds < giveBackRecorded || c.Bursts < giveBackBursts {
		return 0
	}
	safe := s.curve.smallest(func(p point) bool { return t.met(p.high, whole(p.stallHigh)) })
	if safe > 0 && float64(safe) <= (1-giveBackShare)*float64(s.limit) {
		return safe
	}
	return 0
}

// proposeRequest gives the request that entitles the container, whatever others
// request, to what it wants in its busiest period. Where its request held it
// back, what it would do with more is not known.
func (s *scene) proposeRequest(p *v1alpha1.Proposal, cause v1alpha1.Cause) {
	if cause != v1alpha1.CauseRequestTooSmall && cause != v1alpha1.CauseNoisyNeighbour {
		return
	}
	request := s.wantedRequest()
	if limit := limitAfter(p); limit > 0 {
		request = min(request, limit)
	}
	if request > p.CurrentRequestMillicores {
		p.RequestMillicores = &request
		p.LowerBound = p.LowerBound || cause == v1alpha1.CauseRequestTooSmall && p.LimitMillicores == nil
	}
}

// wantedRequest covers what the container wanted in its busiest period, up to what its
// CPUs can give.
func (s *scene) wantedRequest() int64 { return min(roundedUp(s.busiest(), requestStep), s.cpus()) }

// limitAfter is the limit that a request has to stay within, 0 for none.
func limitAfter(p *v1alpha1.Proposal) int64 {
	if p.LimitMillicores != nil {
		return *p.LimitMillicores
	}
	return p.CurrentLimitMillicores
}

func above(n, floor int64) int64 {
	if n > floor {
		return n
	}
	return 0
}

func roundedUp(n, unit int64) int64 {
	if rest := n % unit; rest > 0 {
		return addSaturated(n-rest, unit)
	}
	return n
}

func saturatedProduct(n, factor int64) int64 {
	sum := int64(0)
	for range factor {
		sum = addSaturated(sum, n)
	}
	return sum
}
