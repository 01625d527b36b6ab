// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// plan is what a proposal says, in short; -1 is absent.
type plan struct {
	limit, request, burst int64
	lowerBound            bool
}

func planOf(p *v1alpha1.Proposal) plan {
	or := func(n *int64) int64 {
		if n == nil {
			return -1
		}
		return *n
	}
	if p == nil {
		return plan{limit: -1, request: -1, burst: -1}
	}
	return plan{or(p.LimitMillicores), or(p.RequestMillicores), or(p.BurstMicroseconds), p.LowerBound}
}

// roomy is a container whose limit is far above what it needs.
func roomy(w *v1alpha1.KernelWhisper) {
	w.Spec.Counterfactual.LimitMillicores = 2_000
	w.Spec.Counterfactual.BurstMicroseconds = nil
	w.Spec.Bursts.CPUs = 4
}

func TestProposal(t *testing.T) {
	nothing := plan{limit: -1, request: -1, burst: -1}
	strict := verdict.Target{ThrottledPercent: 1, StallP99: time.Millisecond}
	loose := verdict.Target{ThrottledPercent: 25, StallP99: 50 * time.Millisecond}
	tests := []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		target  verdict.Target
		want    plan
	}{
		{"the smallest limit that meets the target", recorded(), verdict.DefaultTarget(), plan{800, -1, 32_000, false}},
		{"a stricter target: and the burst was not computed for it", recorded(), strict, plan{1_000, -1, -1, false}},
		{"a looser target", recorded(), loose, plan{700, -1, 32_000, false}},
		{"a stall above the target counts as a period does", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve[3].StallP99Microseconds = 5_000
		})), verdict.DefaultTarget(), plan{1_000, -1, 32_000, false}},
		{"a limit beyond which it would be worse is not met by chance", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve[2].ThrottledPercent, c.Curve[2].StallP99Microseconds = "4.0", 0
			c.Curve[3].ThrottledPercent = "5.5"
		})), verdict.DefaultTarget(), plan{1_000, -1, 32_000, false}},
		{"where the curve is dense, with something to spare", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve = append(c.Curve[:3:3], predicted(760, "4.0", "2.0", "8.0", 500, 303), predicted(800, "3.1", "1.0", "5.6", 2_400, 303))
		})), verdict.DefaultTarget(), plan{800, -1, 32_000, false}},
		{"one that nine of ten windows do not meet", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve[3].ThrottledPercentP90 = "5.0"
		})), verdict.DefaultTarget(), plan{1_000, -1, 32_000, false}},
		{"one where stalls are too long in more than one of ten windows", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve[3].StallP99MicrosecondsP90 = 5_000
		})), verdict.DefaultTarget(), plan{1_000, -1, 32_000, false}},
		{"one that nine of ten windows meet", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve[3].ThrottledPercentP90, c.Curve[3].StallP99MicrosecondsP90 = "4.9", 4_900
		})), verdict.DefaultTarget(), plan{800, -1, 32_000, false}},
		{"a limit that meets it, and a little less would not", recorded(replay(func(c *v1alpha1.Counterfactual) {
			c.Curve = []v1alpha1.Predicted{
				predicted(500, "29.1", "22.4", "35.8", 118_000, 302), predicted(700, "4.0", "2.0", "9.0", 31_000, 303),
				predicted(750, "3.0", "1.0", "5.6", 0, 303), predicted(803, "1.0", "0.0", "4.0", 0, 303),
			}
		})), verdict.DefaultTarget(), plan{803, -1, 32_000, false}},
		{"no limit of the curve", recorded(replay(func(c *v1alpha1.Counterfactual) { c.Curve = c.Curve[:3] })), verdict.DefaultTarget(), plan{-1, -1, 32_000, false}},
		{"no replay", recorded(noReplay), verdict.DefaultTarget(), nothing},
		{"no recording", whisper(), verdict.DefaultTarget(), nothing},
		{"an ancestor's limit", recorded(truth(func(k *v1alpha1.KernelTruth) { k.ThrottledAt = v1alpha1.ThrottledAtAncestor })), verdict.DefaultTarget(), nothing},
		{"demand above the limit: a burst setting would not last", recorded(saturated), verdict.DefaultTarget(), plan{800, -1, -1, false}},

		{"stopped nearly always: twice the limit at least", recorded(loop), verdict.DefaultTarget(), plan{1_000, -1, -1, true}},
		{"stopped nearly always: what it showed, where that is more", recorded(loop, replay(func(c *v1alpha1.Counterfactual) {
			c.LimitMillicores, c.Curve[0].LimitMillicores = 100, 100
		})), verdict.DefaultTarget(), plan{1_000, -1, -1, true}},
		{"stopped nearly always: no more than its CPUs give", recorded(loop, replay(func(c *v1alpha1.Counterfactual) {
			c.LimitMillicores = 1_500
		})), verdict.DefaultTarget(), plan{2_000, -1, -1, true}},
		{"stopped nearly always, by others than its limit", recorded(loop, replay(func(c *v1alpha1.Counterfactual) {
			c.LimitMillicores = 2_000
		})), verdict.DefaultTarget(), nothing},

		{"far too high a limit", recorded(roomy, replay(func(c *v1alpha1.Counterfactual) { c.LimitMillicores = 2_000 })), verdict.DefaultTarget(), plan{1_000, -1, -1, false}},
		{"hardly too high", recorded(roomy, replay(func(c *v1alpha1.Counterfactual) { c.LimitMillicores = 1_400 })), verdict.DefaultTarget(), nothing},
		{"too high, on little evidence", recorded(roomy, replay(func(c *v1alpha1.Counterfactual) { c.RecordedMilliseconds = 4_999 })), verdict.DefaultTarget(), nothing},
		{"too high, with few activations", recorded(roomy, replay(func(c *v1alpha1.Counterfactual) { c.Bursts = 99 })), verdict.DefaultTarget(), nothing},
		{"too high, and some were lost", recorded(roomy, bursts(func(b *v1alpha1.Bursts) { b.Lost = 1 })), verdict.DefaultTarget(), nothing},

		{"a request that is too small: its busiest period, and then to be measured again", waiting(), verdict.DefaultTarget(), plan{-1, 820, -1, true}},
		{"its average, where that is more", waiting(bursts(func(b *v1alpha1.Bursts) { b.PeakCPUMicroseconds = 20_000 })), verdict.DefaultTarget(), plan{-1, 300, -1, true}},
		{"rounded up", waiting(bursts(func(b *v1alpha1.Bursts) { b.PeakCPUMicroseconds = 82_100 })), verdict.DefaultTarget(), plan{-1, 830, -1, true}},
		{"a request has to stay within the limit", waiting(replayless(400)), verdict.DefaultTarget(), plan{-1, 400, -1, true}},
		{"no more than its CPUs give", waiting(bursts(func(b *v1alpha1.Bursts) { b.PeakCPUMicroseconds = 900_000 })), verdict.DefaultTarget(), plan{-1, 2_000, -1, true}},
		{"a neighbour: its busiest period", waiting(bursts(func(b *v1alpha1.Bursts) { b.RequestMillicores = 500 })), verdict.DefaultTarget(), plan{-1, 820, -1, false}},
		{"a neighbour, and the request covers that", waiting(bursts(func(b *v1alpha1.Bursts) { b.RequestMillicores = 900 })), verdict.DefaultTarget(), nothing},
		{"its own threads", waiting(bursts(func(b *v1alpha1.Bursts) {
			b.Preemptors[0] = v1alpha1.Preemptor{Namespace: "shop", Pod: "burner", WaitMicroseconds: 1_700_000}
		})), verdict.DefaultTarget(), nothing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status := tt.target.Whisper(tt.whisper, nil, clock)
			if got := planOf(status.Proposal); got != tt.want {
				t.Errorf("proposal %+v, want %+v: %s", got, tt.want, status.Recommendation)
			}
			bounded(t, status.Insight, status.Recommendation, status.KernelEvidence)
		})
	}
}

// replayless gives a container that nothing throttles a limit.
func replayless(millicores int64) func(*v1alpha1.KernelWhisper) {
	return truth(func(k *v1alpha1.KernelTruth) {
		k.QuotaMicroseconds, k.PeriodMicroseconds, k.ThrottledAt = millicores*100, 100_000, v1alpha1.ThrottledAtContainer
	})
}

// The recorded limit is the container's, whatever threw it out of its stride.
func TestCurrentLimit(t *testing.T) {
	change := func(after time.Duration) func(*v1alpha1.KernelWhisper) {
		return func(w *v1alpha1.KernelWhisper) {
			w.Spec.Counterfactual.LimitMillicores = 0
			w.Spec.Change = &v1alpha1.ResourceChange{Time: microTime(w.Spec.Bursts.Time.Add(after)), FromMillicores: 400, ToMillicores: 600}
		}
	}
	tests := []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		want    int64
	}{
		{"as recorded", recorded(truth(func(k *v1alpha1.KernelTruth) { k.QuotaMicroseconds, k.ThrottledAt = 90_000, v1alpha1.ThrottledAtPod })), 500},
		{"from the counters", recorded(replay(func(c *v1alpha1.Counterfactual) { c.LimitMillicores = 0 })), 500},
		{"changed after the recording", recorded(change(time.Second)), 400},
		{"changed before it", recorded(change(-time.Second)), 600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := verdict.Whisper(tt.whisper, nil, clock).Proposal.CurrentLimitMillicores; got != tt.want {
				t.Errorf("current limit %d, want %d", got, tt.want)
			}
		})
	}
}

// An episode that has ended keeps its proposal, and a second verdict is the same.
func TestEndedWhisperKeepsItsProposal(t *testing.T) {
	w := recorded()
	w.Status = verdict.Whisper(w, reported(300), clock)
	w.Spec.EndTime, w.Generation = w.Spec.LastSeenTime.DeepCopy(), 4
	if got := planOf(verdict.Whisper(w, nil, clock).Proposal); got != planOf(w.Status.Proposal) {
		t.Errorf("proposal %+v, was %+v", got, planOf(w.Status.Proposal))
	}
}

func TestTargetIsValidated(t *testing.T) {
	for _, bad := range []verdict.Target{{}, {ThrottledPercent: 101, StallP99: 1}, {ThrottledPercent: 5}, {ThrottledPercent: -1, StallP99: 1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	if err := verdict.DefaultTarget().Validate(); err != nil {
		t.Error(err)
	}
}
