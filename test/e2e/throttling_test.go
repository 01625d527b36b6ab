// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const (
	// burns runs until somebody makes the file, and then idles.
	burns = "while [ ! -e /tmp/stop ]; do :; done; exec sleep 3600"
	idles = "exec sleep 3600"
)

// TestThrottlingIsHeard has one container run into its limit among others that
// do not, from the first period to the end of the load.
func TestThrottlingIsHeard(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	f.alone(t)
	s := newScene(t, f)
	quiet := startQuietPods(t, s)
	pod := s.create("burner", shell(burns), cpuLimit("100m"))
	samples := startSampler(t, node, string(pod.UID))
	id := containerID(s.ready(pod).object)
	began := momentOf(s.certificate(pod).object, milestonesOf(t, s.certificate(pod).object, app).EntrypointExec)

	first := s.whisper(pod, "at all", patience, anyState)
	latency := first.at.Sub(began)
	f.figures.add(t, "throttling: start of the load to whisper", "%s", latency.Round(time.Millisecond))
	if latency > 10*time.Second {
		t.Errorf("the whisper came %s after the start of the load, want at most 10 s", latency)
	}
	wantIdentity(t, first.object, pod)
	s.compareThrottling(pod, first.object, samples, id)
	verdict := s.whisper(pod, "judged", patience, func(w *v1alpha1.KernelWhisper) bool { return judged(w) && !ended(w) })
	f.figures.add(t, "throttling: whisper to verdict", "%s", verdict.at.Sub(first.at).Round(time.Millisecond))
	wantVerdict(t, verdict.object, metricsSources(t, f))
	wantConditions(t, verdict.object, metav1.ConditionTrue, metav1.ConditionFalse)

	next := s.whisper(pod, "told again", patience, func(w *v1alpha1.KernelWhisper) bool {
		return w.Spec.LastSeenTime.After(first.object.Spec.LastSeenTime.Time)
	})
	s.compareThrottling(pod, next.object, samples, id)
	s.exec(pod, "touch", "/tmp/stop")
	end := s.whisper(pod, "ended and judged", patience, func(w *v1alpha1.KernelWhisper) bool { return ended(w) && judged(w) })
	compareEnd(t, f, end, samples, id)
	wantConditions(t, end.object, metav1.ConditionFalse, metav1.ConditionTrue)
	wantVerdict(t, end.object, metricsSources(t, f))
	wantOneWhisper(t, s, pod)
	wantSilence(t, s, quiet)
}

func wantIdentity(t *testing.T, w *v1alpha1.KernelWhisper, pod *corev1.Pod) {
	t.Helper()
	s := w.Spec
	if s.PodRef.Name != pod.Name || s.ContainerName != app || s.Reason != v1alpha1.ReasonCPUThrottling || s.NodeName == "" {
		t.Errorf("the whisper is of pod %s, container %s, node %s, reason %s", s.PodRef.Name, s.ContainerName, s.NodeName, s.Reason)
	}
	if s.KernelTruth.QuotaMicroseconds != 10_000 || s.KernelTruth.PeriodMicroseconds != 100_000 {
		t.Errorf("quota %d µs per %d µs, want what 100m makes", s.KernelTruth.QuotaMicroseconds, s.KernelTruth.PeriodMicroseconds)
	}
}

// compareEnd checks that the episode ended where the throttling did, with the
// counters of its last window.
func compareEnd(t *testing.T, f *fixture, end sighting[*v1alpha1.KernelWhisper], samples *sampler, id string) {
	t.Helper()
	w := end.object
	after, by := samples.lastThrottled()
	f.figures.add(t, "throttling: its last period to the whisper's end being told", "%s", end.at.Sub(by).Round(time.Millisecond))
	if !w.Spec.EndTime.Equal(&w.Spec.LastSeenTime) {
		t.Errorf("endTime %s, lastSeenTime %s", w.Spec.EndTime, w.Spec.LastSeenTime)
	}
	if w.Spec.EndTime.Before(&metav1.MicroTime{Time: after.Add(-clocksApart)}) {
		t.Errorf("endTime %s, cpu.stat last grew between %s and %s", w.Spec.EndTime, after, by)
	}
	wantLast(t, w, samples)
	compareThrottling(t, w, samples, id)
}

// wantLast fails unless the whisper has counted the last throttled period: nothing
// was throttled after it.
func wantLast(t *testing.T, w *v1alpha1.KernelWhisper, samples *sampler) {
	t.Helper()
	checked := 0
	for _, e := range w.Spec.Evidence {
		m := evidenceSource.FindStringSubmatch(e.Source)
		if m == nil || m[1] != "nr_throttled" {
			continue
		}
		cgroup, err := samples.find(m[2])
		if err != nil {
			t.Fatal(err)
		}
		if want := samples.total(cgroup).throttled; uint64(parse(t, e.After)) != want {
			t.Errorf("evidence %q says %s in the end, cpu.stat %d", e.Source, e.After, want)
		}
		checked++
	}
	if checked == 0 {
		t.Errorf("the evidence does not name nr_throttled: %+v", w.Spec.Evidence)
	}
}

// wantOneWhisper fails unless all states told of a pod are of one object.
func wantOneWhisper(t *testing.T, s *scene, pod *corev1.Pod) {
	t.Helper()
	names := map[string]bool{}
	for _, seen := range s.told(pod) {
		names[seen.object.Name] = true
	}
	if len(names) != 1 {
		t.Errorf("whispers about %s: %q, want one", pod.Name, slices.Collect(maps.Keys(names)))
	}
}

// startQuietPods makes pods that no limit holds back.
func startQuietPods(t *testing.T, s *scene) map[string]*sampler {
	t.Helper()
	pods := []*corev1.Pod{
		s.create("idle", shell(idles)),
		s.create("busy", shell(burns)),
		// A start takes CPU time as well, so that a small limit holds it back.
		s.create("idle-limited", shell(idles), cpuLimit("500m")),
	}
	samplers := map[string]*sampler{}
	for _, p := range pods {
		samplers[p.Name] = startSampler(t, s.f.local(t), string(p.UID))
		s.ready(p)
	}
	return samplers
}

// wantSilence fails if any of the quiet pods got a whisper.
func wantSilence(t *testing.T, s *scene, quiet map[string]*sampler) {
	t.Helper()
	for name, samples := range quiet {
		total := samples.total(s.f.local(t).podCgroup(samples.uid))
		t.Logf("%s: %d of %d periods throttled, %s of CPU time", name, total.throttled, total.periods, time.Duration(total.usage).Round(time.Millisecond))
		if name == "busy" && time.Duration(total.usage) < 3*time.Second {
			t.Errorf("the busy pod was not busy: %s of CPU time", time.Duration(total.usage))
		}
		for _, seen := range s.whispers.sightings(func(seen sighting[*v1alpha1.KernelWhisper]) bool {
			return seen.object.Spec.PodRef.UID == samples.uid && throttled(seen.object)
		}) {
			t.Errorf("pod %s got a whisper: %+v", name, seen.object.Spec)
		}
	}
}

// TestTheContainersLimitIsNamed has a pod whose limit is far above that of the
// one container that runs into its own.
func TestTheContainersLimitIsNamed(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("pair", shell(burns), cpuLimit("100m"), func(p *corev1.Pod) {
		roomy := p.Spec.Containers[0].DeepCopy()
		roomy.Name, roomy.Command[2] = "roomy", idles
		roomy.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("900m")}
		p.Spec.Containers = append(p.Spec.Containers, *roomy)
	})
	samples := startSampler(t, node, string(pod.UID))
	id := containerID(s.ready(pod).object)
	w := s.whisper(pod, "at all", patience, anyState).object
	wantIdentity(t, w, pod)
	if w.Spec.KernelTruth.ThrottledAt != v1alpha1.ThrottledAtContainer {
		t.Errorf("throttledAt %s, want Container", w.Spec.KernelTruth.ThrottledAt)
	}
	s.compareThrottling(pod, w, samples, id)
}

// TestThrottledPodIsDeleted ends a pod in the middle of an episode.
func TestThrottledPodIsDeleted(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("doomed", shell(burns), cpuLimit("100m"))
	s.whisper(pod, "at all", patience, anyState)
	s.delete(pod)
	end := s.whisper(pod, "ended and judged", patience, func(w *v1alpha1.KernelWhisper) bool { return ended(w) && judged(w) })
	wantConditions(t, end.object, metav1.ConditionFalse, metav1.ConditionTrue)
	wantOneWhisper(t, s, pod)
}
