// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// loadImage computes for so much CPU time, on request, by the clock or without
// end (hack/images/load).
const loadImage = "localhost/kernel-gossip/load:dev"

func load(args ...string) change {
	return func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Image, c.Command, c.Args = loadImage, nil, args
		c.ImagePullPolicy = corev1.PullNever // the one-node cluster has it
	}
}

func environment(name, value string) change {
	return func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
	}
}

// asks makes somebody who asks a server from another pod, once the server is
// Ready: at random moments or as clients that wait for their answers.
func asks(s *scene, server *corev1.Pod, how ...string) *corev1.Pod {
	s.t.Helper()
	return s.create(server.Name+"-asker", asking(s, server, how...))
}

// asking makes a pod ask a server.
func asking(s *scene, server *corev1.Pod, how ...string) change {
	s.t.Helper()
	address := s.ready(server).object.Status.PodIP + ":8080"
	return load(append([]string{"ask", "-to", address, "-report", "1s"}, how...)...)
}

// answer is a line of an asker's figures.
type answer struct {
	n            int
	p99, longest time.Duration
	spell        time.Duration // the longest for which always somebody waited
}

// answersOf reads what an asker has printed so far.
func answersOf(t *testing.T, s *scene, asker *corev1.Pod) []answer {
	t.Helper()
	var all []answer
	for line := range strings.Lines(s.logs(asker)) {
		f := strings.Fields(line)
		if len(f) != 10 { // answers N median D p99 D longest D spell D
			continue
		}
		n, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		a := answer{n: n}
		for at, d := range map[int]*time.Duration{5: &a.p99, 7: &a.longest, 9: &a.spell} {
			if *d, err = time.ParseDuration(f[at]); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, a)
	}
	return all
}

// throttled picks the whispers of limits: on a busy machine there may be another
// of waiting for a CPU.
func throttled(w *v1alpha1.KernelWhisper) bool {
	return w.Spec.Reason == v1alpha1.ReasonCPUThrottling
}

// refusals of the observer's CPU budget that are waited for, one after another.
const budgetRounds = 5

// noneBegins is the level from which on the observer's CPU budget lets no recording begin.
const noneBegins = 2

// recorded waits for the first judged state of a pod's whisper of throttling that
// has bursts. After many births the observer may owe CPU time, and records nobody
// until that is paid: this is waited for as well.
func recorded(s *scene, p *corev1.Pod) *v1alpha1.KernelWhisper {
	s.t.Helper()
	pass := func(w *v1alpha1.KernelWhisper) bool {
		return throttled(w) && w.Spec.Bursts != nil && w.Spec.Counterfactual != nil && judged(w)
	}
	for n := 0; n < budgetRounds; n++ {
		before := s.f.observerMetrics(s.t)["cpu_budget_level"]
		seen := s.whispers.first(s.t, patience, func(seen sighting[*v1alpha1.KernelWhisper]) bool {
			return seen.object.Spec.PodRef.UID == string(p.UID) && pass(seen.object)
		})
		if seen != nil {
			return seen.object
		}
		if after := s.f.observerMetrics(s.t)["cpu_budget_level"]; max(before, after) < noneBegins {
			break
		}
		s.t.Logf("%s is not recorded yet: the observer's CPU budget lets no recording begin", p.Name)
	}
	return s.whisper(p, "with its bursts, judged", time.Second, pass).object
}

// recording is the stretch of time that a whisper's bursts cover.
func recording(w *v1alpha1.KernelWhisper) (from, to time.Time) {
	to = w.Spec.Bursts.Time.Time
	return to.Add(-time.Duration(w.Spec.Bursts.WindowMilliseconds) * time.Millisecond), to
}
