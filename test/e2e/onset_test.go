// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestOnsetToWhisper measures how long it takes from the first period that a
// limit cut short, by cpu.stat, to the whisper in the API. It is not parallel: it
// measures time.
func TestOnsetToWhisper(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	f.alone(t)
	s := newScene(t, f)
	const n = 12
	var pods []*corev1.Pod
	var samples []*sampler
	for i := range n {
		// Asleep until it is told to begin: a start is cut short by its limit, too.
		script := "mkfifo /tmp/begin; read go </tmp/begin; " + burns
		pods = append(pods, s.create(fmt.Sprintf("late-%d", i), shell(script), cpuLimit("50m")))
		samples = append(samples, startSampler(t, node, string(pods[i].UID)))
	}
	for _, p := range pods {
		s.ready(p)
	}
	// What the start has cost is over, and so is any episode of it.
	for i, p := range pods {
		eventually(t, p.Name+" at rest", func() bool {
			_, by := samples[i].lastThrottled()
			return time.Since(by) > 12*time.Second
		})
		eventually(t, "no episode of "+p.Name, func() bool {
			return !slices.ContainsFunc(s.latest(p), func(w *v1alpha1.KernelWhisper) bool { return throttled(w) && !ended(w) })
		})
	}
	var took []time.Duration
	for i, p := range pods {
		begun := time.Now()
		s.exec(p, "sh", "-c", "echo go >/tmp/begin")
		seen := s.whispers.await(t, "about "+p.Name, patience, func(seen sighting[*v1alpha1.KernelWhisper]) bool {
			return seen.object.Spec.PodRef.UID == string(p.UID) && throttled(seen.object) && seen.object.Spec.StartTime.After(begun.Add(-time.Second))
		})
		took = append(took, seen.at.Sub(samples[i].firstThrottled(begun)))
	}
	slices.Sort(took)
	f.figures.add(t, "throttling: its first period to whisper, median of 12", "%s", took[n/2].Round(time.Millisecond))
	f.figures.add(t, "throttling: its first period to whisper, longest of 12", "%s", took[n-1].Round(time.Millisecond))
	if took[n-1] > 30*time.Second {
		t.Errorf("from the first throttled period to the whisper: %s", took)
	}
}

// latest are the last states of a pod's whispers.
func (s *scene) latest(p *corev1.Pod) []*v1alpha1.KernelWhisper {
	byName := map[string]*v1alpha1.KernelWhisper{}
	for _, seen := range s.told(p) {
		byName[seen.object.Name] = seen.object
	}
	return slices.Collect(maps.Values(byName))
}

// firstThrottled is the first moment from begun on at which a count of throttled
// periods was seen to have grown.
func (s *sampler) firstThrottled(begun time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := time.Now()
	for _, all := range s.readings {
		for i := 1; i < len(all); i++ {
			if all[i].throttled > all[i-1].throttled && all[i].to.After(begun) && all[i].to.Before(first) {
				first = all[i].to
			}
		}
	}
	return first
}
