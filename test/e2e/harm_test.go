// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestHarmAgainstTheAsker: a service that its limit holds back, by what the
// kernel's side says of its stalls and by how long those who asked it waited.
func TestHarmAgainstTheAsker(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	f.alone(t)
	s := newScene(t, f)
	// A request needs more than one period's quota.
	server := s.create("service", load("serve", "-threads", "4", "-cpu", "40ms"), cpuLimit("250m"))
	samples := startSampler(t, node, string(server.UID))
	id := containerID(s.ready(server).object)
	asker := asks(s, server, "-rate", "2.5")
	w := recorded(s, server)
	t.Logf("%s: %s: %s\n%s", w.Status.Severity, w.Status.Cause, w.Status.Insight, w.Status.Recommendation)
	compareRecording(t, w, samples, id)

	if w.Status.Severity == v1alpha1.SeverityInfo {
		t.Errorf("severity Info of a service whose requests stand still: %+v", w.Spec.KernelTruth)
	}
	b := w.Spec.Bursts
	if b.StalledActivations == 0 {
		t.Errorf("%d of %d outside activations stalled", b.StalledActivations, b.OutsideActivations)
	}
	// Who asked while it was recorded has an answer some lines later.
	told := len(answersOf(t, s, asker))
	eventually(t, "the answers that were under way", func() bool { return len(answersOf(t, s, asker)) >= told+4 })
	// A thread that finds the next request waiting does not block between two: one
	// activation then, which still lies within the time that somebody waited.
	var longest, spell time.Duration
	for _, a := range answersOf(t, s, asker) {
		longest, spell = max(longest, a.longest), max(spell, a.spell)
	}
	stall := time.Duration(*w.Spec.KernelTruth.StallP99Microseconds) * time.Microsecond
	t.Logf("stall p99 %s; the longest answer took %s, and somebody waited for %s without a break", stall, longest, spell)
	if stall > spell {
		t.Errorf("one in a hundred stood still for %s, and nobody waited for more than %s without a break", stall, spell)
	}
	if stall < 5*time.Millisecond {
		t.Errorf("stall p99 %s, below a quota of 25 ms that requests of 40 ms run into", stall)
	}
}

// compareRecording holds what was recorded against the cgroup's own files.
func compareRecording(t *testing.T, w *v1alpha1.KernelWhisper, s *sampler, container string) {
	t.Helper()
	from, to := recording(w)
	own, err := s.find(container)
	if err != nil {
		t.Fatal(err)
	}
	grown := mustGrow(t, s, own, from, to)
	compareBursts(t, w, grown)
	ratio, above := grown.percent(), mustGrow(t, s, filepath.Dir(own), from, to).percent()
	ratio = span{max(ratio.low, above.low), max(ratio.high, above.high)}
	limit := w.Spec.KernelTruth.QuotaMicroseconds * 1000 / w.Spec.KernelTruth.PeriodMicroseconds
	for _, p := range w.Spec.Counterfactual.Curve {
		if p.LimitMillicores != limit {
			continue
		}
		t.Logf("replayed at %dm: %s %% (%s to %s), cpu.stat: %s %%", limit, p.ThrottledPercent, p.ThrottledPercentLow, p.ThrottledPercentHigh, ratio)
		if low, high := parse(t, p.ThrottledPercentLow), parse(t, p.ThrottledPercentHigh); ratio.high < low-10 || ratio.low > high+10 {
			t.Errorf("the replay at the present limit gives %s %% to %s %%, cpu.stat counted %s %%", p.ThrottledPercentLow, p.ThrottledPercentHigh, ratio)
		}
		return
	}
	t.Errorf("the curve does not have the present limit of %dm: %+v", limit, w.Spec.Counterfactual.Curve)
}

// compareBursts holds the recorded bursts against what the container's cgroup used
// meanwhile. Bursts begin and end with the switch of tasks, by the clock; the account is
// brought up to date a moment earlier, and leaves out interrupts.
func compareBursts(t *testing.T, w *v1alpha1.KernelWhisper, own growth) {
	t.Helper()
	const apart = 0.05
	used := span{own.usage.low / 1000 * (1 - apart), own.usage.high / 1000 * (1 + apart)}
	if got := float64(w.Spec.Bursts.CPUMicroseconds); !used.has(got) {
		t.Errorf("the bursts add up to %.0f µs of CPU time, by the cgroup's own account %s", got, used)
	}
}
