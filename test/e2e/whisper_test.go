// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// window is the stretch of time that a whisper's counters cover.
func window(w *v1alpha1.KernelWhisper) (from, to time.Time) {
	to = w.Spec.LastSeenTime.Time
	return to.Add(-time.Duration(w.Spec.KernelTruth.WindowMilliseconds) * time.Millisecond), to
}

// levelOf is a sampled cgroup and what it is.
type levelOf struct {
	at     v1alpha1.ThrottleLevel
	cgroup string
	// ratio of throttled periods over the whisper's window, in percent.
	ratio float64
}

// compareThrottling holds one state of a whisper against the files of the
// pod's cgroups, read meanwhile.
func compareThrottling(t *testing.T, w *v1alpha1.KernelWhisper, s *sampler, container string) {
	t.Helper()
	truth := w.Spec.KernelTruth
	from, to := window(w)
	levels := []levelOf{{at: v1alpha1.ThrottledAtContainer}, {at: v1alpha1.ThrottledAtPod}}
	for i, path := range []string{container, "pod" + s.uid} {
		cgroup, err := s.find(path)
		if err != nil {
			t.Fatal(err)
		}
		a, b := mustNear(t, s, cgroup, from), mustNear(t, s, cgroup, to)
		levels[i].cgroup = cgroup
		if n := b.periods - a.periods; n > 0 {
			levels[i].ratio = 100 * float64(b.throttled-a.throttled) / float64(n)
		}
	}
	own, pod := levels[0], levels[1]
	named, other := own, pod
	if truth.ThrottledAt == v1alpha1.ThrottledAtPod {
		named, other = pod, own
	}
	got := parse(t, truth.ThrottledPercent)
	t.Logf("%s: %s %% of %d periods at the %s over %d ms; cpu.stat says %.1f %% at the container and %.1f %% at the pod",
		w.Name, truth.ThrottledPercent, truth.Periods, truth.ThrottledAt, truth.WindowMilliseconds, own.ratio, pod.ratio)
	if truth.ThrottledAt != named.at {
		t.Errorf("throttledAt is %s; the pod has no limit above it", truth.ThrottledAt)
	}
	if math.Abs(got-named.ratio) > 2 {
		t.Errorf("throttledPercent %s, by cpu.stat of %s %.1f", truth.ThrottledPercent, named.cgroup, named.ratio)
	}
	// Within a period or two of each other, either may be the greater one.
	if margin := 200 / math.Max(1, float64(truth.Periods)); other.ratio > named.ratio+margin {
		t.Errorf("throttledAt is %s with %.1f %%, but %s has %.1f %%", truth.ThrottledAt, named.ratio, other.at, other.ratio)
	}
	compareUsage(t, w, s, own.cgroup)
	compareEvidence(t, w, s)
}

func compareUsage(t *testing.T, w *v1alpha1.KernelWhisper, s *sampler, cgroup string) {
	t.Helper()
	from, to := window(w)
	a, b := mustNear(t, s, cgroup, from), mustNear(t, s, cgroup, to)
	elapsed := b.from.Sub(a.from)
	if a.from.IsZero() {
		elapsed = b.from.Sub(from)
	}
	want := float64(b.usage-a.usage) / float64(elapsed) * 1000
	got := float64(w.Spec.KernelTruth.UsageMillicores)
	// A reading lies within half a sampling interval of the window's ends, where
	// up to a whole period's quota may have been used.
	tolerance := math.Max(5, want*0.05) + float64(w.Spec.KernelTruth.QuotaMicroseconds)*1e6/float64(elapsed.Nanoseconds())
	if math.Abs(got-want) > tolerance {
		t.Errorf("usageMillicores %.0f, by the cgroup's own account %.0f over %s", got, want, elapsed)
	}
}

var evidenceSource = regexp.MustCompile(`^cpu\.stat (nr_periods|nr_throttled) of (\S+)$`)

// compareEvidence checks the raw counters: each lies between what the file said
// just before and just after.
func compareEvidence(t *testing.T, w *v1alpha1.KernelWhisper, s *sampler) {
	t.Helper()
	from, to := window(w)
	checked := 0
	for _, e := range w.Spec.Evidence {
		m := evidenceSource.FindStringSubmatch(e.Source)
		if m == nil {
			continue
		}
		cgroup, err := s.find(m[2])
		if err != nil {
			t.Errorf("evidence %q: %v", e.Source, err)
			continue
		}
		for _, side := range []struct {
			value  string
			moment time.Time
		}{{e.Before, from}, {e.After, to}} {
			before, after, err := s.around(t.Context(), cgroup, side.moment)
			if err != nil {
				t.Fatal(err)
			}
			low, high := before.periods, after.periods
			if m[1] == "nr_throttled" {
				low, high = before.throttled, after.throttled
			}
			if v := uint64(parse(t, side.value)); v < low || v > high {
				t.Errorf("evidence %q says %d at %s, the file said %d before and %d after", e.Source, v, side.moment, low, high)
			}
			checked++
		}
	}
	if checked < 4 {
		t.Errorf("the evidence does not name cpu.stat: %+v", w.Spec.Evidence)
	}
}

func mustNear(t *testing.T, s *sampler, cgroup string, moment time.Time) reading {
	t.Helper()
	r, err := s.near(t.Context(), cgroup, moment)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// judged is true once the operator has judged the present spec.
func judged(w *v1alpha1.KernelWhisper) bool {
	return w.Status.ObservedGeneration == w.Generation && meta.IsStatusConditionTrue(w.Status.Conditions, v1alpha1.ConditionAssessed)
}

func ended(w *v1alpha1.KernelWhisper) bool { return w.Spec.EndTime != nil }

// wantVerdict fails unless the operator has said all that it has to say.
func wantVerdict(t *testing.T, w *v1alpha1.KernelWhisper, sources []v1alpha1.MetricsSource) {
	t.Helper()
	wantSize(t, w, 8<<10)
	s := w.Status
	if s.Severity == "" || s.Insight == "" || s.Recommendation == "" || s.KernelEvidence == "" {
		t.Errorf("severity %q, insight %q, recommendation %q, kernelEvidence %q: none may be empty", s.Severity, s.Insight, s.Recommendation, s.KernelEvidence)
	}
	if s.MetricsLie == nil || !slices.Contains(sources, s.MetricsLie.Source) || s.MetricsLie.PercentOfLimit == "" {
		t.Errorf("metricsLie %+v, want a source of %q and a percentage", s.MetricsLie, sources)
	}
	if !strings.Contains(s.Insight+s.KernelEvidence, strconv.FormatInt(w.Spec.KernelTruth.ThrottledPeriods, 10)) {
		t.Errorf("neither insight %q nor evidence %q has the %d throttled periods", s.Insight, s.KernelEvidence, w.Spec.KernelTruth.ThrottledPeriods)
	}
}

func wantConditions(t *testing.T, w *v1alpha1.KernelWhisper, active, resolved metav1.ConditionStatus) {
	t.Helper()
	for kind, want := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionActive: active, v1alpha1.ConditionResolved: resolved, v1alpha1.ConditionAssessed: metav1.ConditionTrue,
	} {
		c := meta.FindStatusCondition(w.Status.Conditions, kind)
		if c == nil || c.Status != want || c.ObservedGeneration != w.Generation {
			t.Errorf("whisper %s of generation %d: condition %s is %+v, want %s", w.Name, w.Generation, kind, c, want)
		}
	}
}
