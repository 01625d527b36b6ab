// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func milli(cores int) string { return fmt.Sprintf("%dm", cores) }

func cpuBetween(request, limit string) change {
	return func(p *corev1.Pod) {
		r := &p.Spec.Containers[0].Resources
		r.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}
		r.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(limit)}
	}
}

const (
	// crowd is the greatest share of the CPUs' time that others than the scene's pods may
	// have in a recording. With more, they are the neighbors. crowdBesideLimit is for one
	// that its limit gives a tenth of that time, on two CPUs: with half of it left, by
	// weight, nobody keeps it from that.
	crowd, crowdBesideLimit = 0.3, 0.5
	// theft is the greatest share that a hypervisor may take: from a tenth on, it is the
	// cause (internal/verdict).
	theft = 0.08
)

// player is a pod of the scene whose CPU time is read all the time.
type player struct {
	pod       *corev1.Pod
	samples   *sampler
	container string
}

func newPlayer(s *scene, p *corev1.Pod) player {
	s.t.Helper()
	samples := startSampler(s.t, s.f.node, string(p.UID))
	return player{p, samples, containerID(s.ready(p).object)}
}

// grown is what its container's counters gained.
func (p player) grown(t *testing.T, from, to time.Time) growth {
	t.Helper()
	own, err := p.samples.find(p.container)
	if err != nil {
		t.Fatal(err)
	}
	return mustGrow(t, p.samples, own, from, to)
}

// undisturbed waits for a judged whisper of a recording during which the CPUs' time went
// to those of the scene, or was left over: with whom the node shares its machine a test
// cannot choose.
func undisturbed(s *scene, reason v1alpha1.Reason, idle *idleness, who player, beside ...player) *v1alpha1.KernelWhisper {
	s.t.Helper()
	var last time.Time
	var crowded string
	most := crowd
	if reason == v1alpha1.ReasonCPUThrottling {
		most = crowdBesideLimit
	}
	for deadline := time.Now().Add(3 * patience); ; {
		seen := s.whispers.first(s.t, time.Until(deadline), func(seen sighting[*v1alpha1.KernelWhisper]) bool {
			o := seen.object
			return o.Spec.PodRef.UID == string(who.pod.UID) && o.Spec.Reason == reason && o.Spec.Bursts != nil && judged(o) && o.Spec.Bursts.Time.After(last)
		})
		switch {
		case seen == nil && last.IsZero():
			s.t.Fatalf("pod %s was not told of in %s: %s", who.pod.Name, 3*patience, reason)
		case seen == nil:
			s.t.Fatalf("others kept the CPUs busy, whatever the weight of the node's pods: %s", crowded)
		}
		from, to := recording(seen.object)
		stolen := idle.stolen(from, to)
		others := 1 - idle.share(from, to) - stolen - shareOf(s.t, from, to, append(beside, who)...)
		crowded = fmt.Sprintf("in the recording of %s from %s to %s others had %.1f %% of the CPUs' time, and a hypervisor took %.1f %%",
			who.pod.Name, from.Format(time.TimeOnly), to.Format(time.TimeOnly), 100*others, 100*stolen)
		s.t.Log(crowded)
		if others <= most && stolen <= theft {
			return seen.object
		}
		last = to
		s.t.Logf("cause %s, then %q; the next recording is taken", seen.object.Status.Cause, seen.object.Status.SecondCause)
	}
}

// shareOf the CPUs' time that some had, by the readings around two moments.
func shareOf(t *testing.T, from, to time.Time, players ...player) float64 {
	t.Helper()
	used := 0.0
	for _, p := range players {
		own, err := p.samples.find(p.container)
		if err != nil {
			t.Fatal(err)
		}
		a, _, err := p.samples.around(t.Context(), own, from)
		if err != nil {
			t.Fatal(err)
		}
		_, z, err := p.samples.around(t.Context(), own, to)
		if err != nil {
			t.Fatal(err)
		}
		if !a.to.IsZero() {
			used += float64(z.usage-a.usage) / (float64(runtime.NumCPU()) * float64(z.to.Sub(a.to)))
		}
	}
	return used
}
