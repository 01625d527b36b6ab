// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// window is the stretch of time that a whisper's counters cover.
func window(w *v1alpha1.KernelWhisper) (from, to time.Time) {
	to = w.Spec.LastSeenTime.Time
	return to.Add(-time.Duration(w.Spec.KernelTruth.WindowMilliseconds) * time.Millisecond), to
}

// states of a whisper that are compared at most, until one was witnessed.
const states = 3

// compareThrottling holds a whisper against the files of the pod's cgroups, read
// meanwhile: this state of it and, if no reading lay close to the ends of its
// window, the next ones.
func (s *scene) compareThrottling(pod *corev1.Pod, w *v1alpha1.KernelWhisper, samples *sampler, container string) {
	s.t.Helper()
	for n := 1; !compareThrottling(s.t, w, samples, container); n++ {
		if n == states || ended(w) {
			s.t.Logf("%s: none of %d states was witnessed closely", w.Name, n)
			return
		}
		w = s.whisper(pod, "told again", 2*patience, func(next *v1alpha1.KernelWhisper) bool {
			return next.Spec.LastSeenTime.After(w.Spec.LastSeenTime.Time)
		}).object
	}
}

// compareThrottling holds one state of a whisper against the files. It is false if
// these say next to nothing of that time.
func compareThrottling(t *testing.T, w *v1alpha1.KernelWhisper, s *sampler, container string) bool {
	t.Helper()
	truth := w.Spec.KernelTruth
	from, to := window(w)
	own, err := s.find(container)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[v1alpha1.ThrottleLevel]growth{
		v1alpha1.ThrottledAtContainer: mustGrow(t, s, own, from, to),
		v1alpha1.ThrottledAtPod:       mustGrow(t, s, filepath.Dir(own), from, to),
	}
	named, known := levels[truth.ThrottledAt]
	t.Logf("%s: %s %% of %d periods at the %s over %d ms; cpu.stat says %s of %s at the container and %s of %s at the pod",
		w.Name, truth.ThrottledPercent, truth.Periods, truth.ThrottledAt, truth.WindowMilliseconds,
		levels[v1alpha1.ThrottledAtContainer].percent(), levels[v1alpha1.ThrottledAtContainer].periods,
		levels[v1alpha1.ThrottledAtPod].percent(), levels[v1alpha1.ThrottledAtPod].periods)
	if !known {
		t.Errorf("throttledAt is %s; the pod has no limit above it", truth.ThrottledAt)
		return true
	}
	if what := named.differs(truth); what != "" {
		t.Errorf("%s: %s", w.Name, what)
	}
	wantPercent(t, truth, named)
	for at, other := range levels {
		if other.percent().low > named.percent().high {
			t.Errorf("throttledAt is %s with %s %%, but %s has %s %%", truth.ThrottledAt, named.percent(), at, other.percent())
		}
	}
	compareUsage(t, truth, levels[v1alpha1.ThrottledAtContainer])
	compareEvidence(t, w, s)
	return named.witnessed()
}

// wantPercent fails unless the ratio that was told, with one decimal, is that of its
// own counts, and of the files.
func wantPercent(t *testing.T, truth v1alpha1.KernelTruth, named growth) {
	t.Helper()
	const rounded = 0.05 + 1e-9
	got := parse(t, truth.ThrottledPercent)
	if own := 100 * float64(truth.ThrottledPeriods) / max(1, float64(truth.Periods)); math.Abs(got-own) > rounded {
		t.Errorf("throttledPercent %s of %d among %d", truth.ThrottledPercent, truth.ThrottledPeriods, truth.Periods)
	}
	if want := named.percent(); !want.widened(rounded).has(got) {
		t.Errorf("throttledPercent %s, by cpu.stat %s", truth.ThrottledPercent, want)
	}
}

func compareUsage(t *testing.T, truth v1alpha1.KernelTruth, own growth) {
	t.Helper()
	want := own.millicores(time.Duration(truth.WindowMilliseconds) * time.Millisecond)
	if got := float64(truth.UsageMillicores); !want.widened(1).has(got) { // whole millicores
		t.Errorf("usageMillicores %.0f, by the cgroup's own account %s", got, want)
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
