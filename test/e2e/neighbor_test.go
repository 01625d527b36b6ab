// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The victim, and who asks it: two clients at a time, each of them for no more than
// victimCPU in every clientsThink. That is at most 160m of CPU, well below the request,
// and two threads cannot use up the limit in a period beside a neighbor that weighs more.
const (
	victimCPU     = 20 * time.Millisecond
	clientsThink  = 230 * time.Millisecond
	victimRequest = 250
	victimLimit   = 1500
)

// answers is what the victim runs; it waits for each of its two threads.
func answers() change { return load("serve", "-threads", "2", "-cpu", victimCPU.String()) }

// askedBy two clients, who are not kept from asking: their request is all they need.
func askedBy(s *scene, server *corev1.Pod) *corev1.Pod {
	s.t.Helper()
	return s.create(server.Name+"-asker", asking(s, server, "-clients", "2", "-think", clientsThink.String()), cpuRequest("50m"))
}

// TestNoisyNeighbour: a service that is asked for less than it requests, under a limit
// out of its reach, and another pod, without a limit, that has the CPU when the service
// would run. Two look like it: the same service, which waits for the same neighbor at the
// same time, and which wants more than its request; and one that its own limit stops,
// beside the same program with a weight that keeps nobody waiting.
func TestNoisyNeighbour(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	f.alone(t)
	s := newScene(t, f)
	idle := watchIdleness(t)
	miner := newPlayer(s, s.create("miner", load("burn", "-threads", "4"), cpuRequest("1200m")))
	node.prefer(t, string(miner.pod.UID))
	victim := newPlayer(s, s.create("victim", answers(), cpuBetween(milli(victimRequest), milli(victimLimit))))
	twin := newPlayer(s, s.create("twin", answers(), cpuRequest("40m")))
	delays := watchDelays(t, node, string(victim.pod.UID))
	asker, twins := askedBy(s, victim.pod), askedBy(s, twin.pod)

	w := undisturbed(s, v1alpha1.ReasonCPUContention, idle, victim, twin, miner)
	t.Log(wording(w))
	if w.Status.Cause != v1alpha1.CauseNoisyNeighbour || w.Status.SecondCause != "" {
		t.Errorf("causes %s and %q, want NoisyNeighbour alone: %+v", w.Status.Cause, w.Status.SecondCause, *w.Spec.Bursts)
	}
	wantNamed(t, w, miner)
	wantShareOf(t, w, miner)
	compareWait(t, w, victim, delays)
	compareAnswers(t, s, asker, w)
	smallRequestBesideTheNeighbor(t, s, idle, twin, victim, miner)

	for _, p := range []*corev1.Pod{miner.pod, asker, twins, victim.pod, twin.pod} {
		s.delete(p)
	}
	ownLimitBesideANeighbor(t, s, idle)
	wantNoOtherVictim(t, s, victim)
}

// smallRequestBesideTheNeighbor is the look-alike that waits as the victim does, and uses
// all that its request entitles it to.
func smallRequestBesideTheNeighbor(t *testing.T, s *scene, idle *idleness, twin, victim, miner player) {
	t.Helper()
	w := undisturbed(s, v1alpha1.ReasonCPUContention, idle, twin, victim, miner)
	t.Log(wording(w))
	if w.Status.Cause != v1alpha1.CauseRequestTooSmall || w.Status.SecondCause != "" {
		t.Errorf("causes %s and %q, want RequestTooSmall alone: %+v", w.Status.Cause, w.Status.SecondCause, *w.Spec.Bursts)
	}
	if !slices.ContainsFunc(w.Spec.Bursts.Preemptors, func(p v1alpha1.Preemptor) bool { return p.Pod == miner.pod.Name }) {
		t.Errorf("it waits for another than the victim does: %+v", w.Spec.Bursts.Preemptors)
	}
}

// ownLimitBesideANeighbor is the look-alike on CPUs that are as busy, by the same
// program, of a service that its limit stops.
func ownLimitBesideANeighbor(t *testing.T, s *scene, idle *idleness) {
	t.Helper()
	meek := newPlayer(s, s.create("meek", load("burn", "-threads", "4"), cpuRequest("40m")))
	limited := newPlayer(s, s.create("limited", load("serve", "-threads", "2", "-cpu", "25ms"), cpuBetween("200m", "200m")))
	asks(s, limited.pod, "-clients", "2", "-think", "50ms")
	w := undisturbed(s, v1alpha1.ReasonCPUThrottling, idle, limited, meek)
	t.Log(wording(w))
	if w.Status.Cause != v1alpha1.CauseLimitTooLow || w.Status.SecondCause == v1alpha1.CauseNoisyNeighbour {
		t.Errorf("causes %s and %q, want LimitTooLow and no neighbor: %+v, truth %+v", w.Status.Cause, w.Status.SecondCause, *w.Spec.Bursts, w.Spec.KernelTruth)
	}
	for _, seen := range s.whispers.sightings(func(seen sighting[*v1alpha1.KernelWhisper]) bool {
		return seen.object.Spec.PodRef.UID == string(limited.pod.UID) && seen.object.Spec.Reason == v1alpha1.ReasonCPUContention
	}) {
		t.Errorf("its neighbor hardly keeps it waiting, and it has a whisper of contention: %s", seen.object.Status.Insight)
	}
}

// wantNoOtherVictim: neither who keeps the CPUs busy nor who only looks like a victim was
// told to have a noisy neighbor, in any state of its whisper. Nothing that has no limit in
// its way was told to be throttled.
func wantNoOtherVictim(t *testing.T, s *scene, victim player) {
	t.Helper()
	wantNoWhisperOf(t, s, victim.pod)
	for _, seen := range s.whispers.sightings(func(seen sighting[*v1alpha1.KernelWhisper]) bool {
		o := seen.object
		return o.Spec.PodRef.UID != string(victim.pod.UID) &&
			(o.Status.Cause == v1alpha1.CauseNoisyNeighbour || o.Status.SecondCause == v1alpha1.CauseNoisyNeighbour)
	}) {
		t.Errorf("pod %s is told to have a noisy neighbor: %s", seen.object.Spec.PodRef.Name, wording(seen.object))
	}
}

func wording(w *v1alpha1.KernelWhisper) string {
	return fmt.Sprintf("%s: %s, then %q: %s\n%s\n%s", w.Status.Severity, w.Status.Cause, w.Status.SecondCause, w.Status.Insight, w.Status.Recommendation, w.Status.KernelEvidence)
}

// wantNamed fails unless what a user reads names the neighbor.
func wantNamed(t *testing.T, w *v1alpha1.KernelWhisper, neighbor player) {
	t.Helper()
	name := "pod " + neighbor.pod.Namespace + "/" + neighbor.pod.Name
	for what, text := range map[string]string{"insight": w.Status.Insight, "recommendation": w.Status.Recommendation} {
		if !strings.Contains(text, name) {
			t.Errorf("the %s does not name %s: %s", what, name, text)
		}
	}
}

// wantShareOf fails unless the neighbor is told first of those that ran meanwhile, with
// most of the wait of which that is known, and with no more than it ran: two threads may
// wait for one turn of it.
func wantShareOf(t *testing.T, w *v1alpha1.KernelWhisper, neighbor player) {
	t.Helper()
	const waiters = 2
	b := w.Spec.Bursts
	if len(b.Preemptors) == 0 {
		t.Fatalf("nobody is said to have run meanwhile: %+v", *b)
	}
	top, known := b.Preemptors[0], int64(0)
	for _, p := range b.Preemptors {
		known += p.WaitMicroseconds
	}
	from, to := recording(w)
	ran := neighbor.grown(t, from, to).usage.high / 1000
	t.Logf("waited for %d µs, of that %d for those who are known: %+v; the neighbor ran for %.0f µs", b.QueuedMicroseconds, known, b.Preemptors, ran)
	if top.Pod != neighbor.pod.Name || top.Namespace != neighbor.pod.Namespace {
		t.Errorf("it waited for %+v most, want pod %s", top, neighbor.pod.Name)
	}
	if known > b.QueuedMicroseconds || top.WaitMicroseconds < known/2 || float64(top.WaitMicroseconds) > waiters*ran {
		t.Errorf("of a wait of %d µs, %d of them known, %d were for the neighbor, which ran for %.0f; want the most of it", b.QueuedMicroseconds, known, top.WaitMicroseconds, ran)
	}
}

// compareWait holds the wait that was recorded against what the scheduler counted for
// the same threads, and the limit against the cgroup's own files.
func compareWait(t *testing.T, w *v1alpha1.KernelWhisper, victim player, delays *delays) {
	t.Helper()
	from, to := recording(w)
	grown := victim.grown(t, from, to)
	compareBursts(t, w, grown)
	if grown.throttled.high > 0 {
		t.Errorf("its limit stopped it in %s periods, and it is to be out of reach", grown.throttled)
	}
	// At either end both threads may have waited for as long as ever.
	const threads, apart = 2, 0.05
	counted := delays.growth(t, from, to).widened(threads * float64(*w.Spec.KernelTruth.RunQueueWaitP99Microseconds))
	counted = span{counted.low * (1 - apart), counted.high * (1 + apart)}
	queued := float64(w.Spec.Bursts.QueuedMicroseconds)
	t.Logf("queued for %.0f µs, by schedstat of its threads %s µs", queued, counted)
	if !counted.has(queued) {
		t.Errorf("queued for %.0f µs, by schedstat of its threads %s µs", queued, counted)
	}
	if got := w.Spec.Bursts.RequestMillicores; got != victimRequest {
		t.Errorf("a request of %dm is told, want %dm", got, victimRequest)
	}
	if truth := w.Spec.KernelTruth; truth.ThrottledPeriods != 0 || truth.QuotaMicroseconds*1000 != victimLimit*truth.PeriodMicroseconds {
		t.Errorf("the limit is %dm and stopped nothing, and yet: %+v", victimLimit, truth)
	}
}

// compareAnswers holds the harm against what the asker felt: whoever waited for a CPU did
// so while somebody waited for an answer.
func compareAnswers(t *testing.T, s *scene, asker *corev1.Pod, w *v1alpha1.KernelWhisper) {
	t.Helper()
	now := len(answersOf(t, s, asker))
	eventually(t, "the answers that were under way", func() bool { return len(answersOf(t, s, asker)) >= now+2 })
	wait := time.Duration(*w.Spec.KernelTruth.RunQueueWaitP99Microseconds) * time.Microsecond
	var spell, longest time.Duration
	for _, a := range answersOf(t, s, asker) {
		spell, longest = max(spell, a.spell), max(longest, a.longest)
	}
	t.Logf("wait p99 %s; the longest answer took %s", wait, longest)
	if wait > spell {
		t.Errorf("one in a hundred waited for %s for a CPU, and nobody for more than %s without a break for an answer", wait, spell)
	}
}
