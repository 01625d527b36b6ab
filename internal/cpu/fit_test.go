// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"math"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// heavy is a busy moment of a container that three levels throttled and whose hypervisor
// took its share, with all evidence that there can be.
func heavy(h Heard) (Sample, Heard) {
	at := Sample{Container: w1()}
	h.Recording.Before, h.Recording.After = nil, nil
	for i, level := range []v1alpha1.ThrottleLevel{v1alpha1.ThrottledAtContainer, v1alpha1.ThrottledAtPod, v1alpha1.ThrottledAtAncestor} {
		g := event.Group{Cgroup: uint64(i) + 1, Quota: 10e6, Period: 100e6, Shares: 1024}
		h.Recording.Before = append(h.Recording.Before, g)
		g.Time, g.Periods, g.Throttled, g.ThrottledTime = 3_000*ms, 30, 9, 90*ms
		h.Recording.After = append(h.Recording.After, g)
		at.Levels = append(at.Levels, Level{At: level, Path: "/" + strings.Repeat("x", 300), Group: g})
	}
	h.Before, h.After = Node{Time: 1, Steal: 1, Total: 100}, Node{Time: 2, Steal: 90, Total: 700}
	return at, h
}

// The schema takes 12 pieces of evidence. What a recording rests on stays, and levels
// above the first give way.
func TestAWhisperOfContentionHasRoomForItsEvidence(t *testing.T) {
	n := newCrowd()
	at, h := heavy(n.waiting(40, 99)(LeanIn{ContainerID: "id", Why: WhyContended}, 0, 3_000*ms))
	e := &contended{container: w1(), name: "w", path: "/x"}
	config := n.watch.contention.config
	for range 2 { // told again it is as long
		e.hear(at, h, config.summarize(h, at))
	}
	w := e.whisper(config)
	has := map[string]int{}
	for _, evidence := range w.Spec.Evidence {
		what, _, _ := strings.Cut(evidence.Source, " of /")
		what, _, _ = strings.Cut(what, " of …")
		has[what]++
	}
	if len(w.Spec.Evidence) > 12 || has["cpu.stat nr_periods"] != 2 || has["throttled time (ns)"] != 2 ||
		has["CPU time (ns)"] != 1 || has["weight (shares of task_group)"] != 1 || has["/proc/stat cpu steal (USER_HZ)"] != 1 ||
		has["run-queue wait (ns) of its threads, by sched_switch"] != 1 {
		t.Errorf("%d pieces: %v", len(w.Spec.Evidence), has)
	}
}

// A recording of a cgroup that was made anew since leaves the whisper as it is.
func TestARecordingOfAnEarlierCgroupSaysNothing(t *testing.T) {
	n := newCrowd()
	n.record = n.waiting(40, 99)
	told := n.seconds(20, 200e6)
	if len(told) != 1 {
		t.Fatalf("%d whispers", len(told))
	}
	contention, recorded := n.watch.contention, n.waiting(40, 99)
	h := recorded(LeanIn{ContainerID: "id", Why: WhyContended}, n.c.now-3_000*ms, n.c.now)
	own := h.Recording.Before[0]
	own.Cgroup += 100
	h.Recording.Before, h.Recording.After = []event.Group{own}, []event.Group{own}
	if got := contention.Heard(h); len(got) != 0 {
		t.Errorf("%+v", got[0].Spec)
	}
	if got := contention.episodes["id"].spec.Evidence; len(got) != len(told[0].Spec.Evidence) {
		t.Errorf("the evidence became %+v, from %+v", got, told[0].Spec.Evidence)
	}
}

// Where all that may be long is long, and longer than it can be, the evidence of levels
// above the first gives way, and no other.
func TestALongWhisperKeepsItsEvidence(t *testing.T) {
	n := newCrowd()
	at, h := heavy(n.waiting(40, 99)(LeanIn{ContainerID: "id", Why: WhyContended}, 0, 3_000*ms))
	at.Container.Pod = strings.Repeat("p", 253)
	e := &contended{container: at.Container, name: "w", path: "/x"}
	config := n.watch.contention.config
	config.NodeName = strings.Repeat("n", 253)
	e.hear(at, h, config.summarize(h, at))
	for i := range 3 {
		e.spec.Bursts.Preemptors = append(e.spec.Bursts.Preemptors[:i:i], v1alpha1.Preemptor{
			Namespace: strings.Repeat("n", 63), Pod: strings.Repeat("p", 253), WaitMicroseconds: 1e15,
		})
	}
	e.spec.Counterfactual = &v1alpha1.Counterfactual{}
	for range curveMax {
		e.spec.Counterfactual.Curve = append(e.spec.Counterfactual.Curve, v1alpha1.Predicted{
			LimitMillicores: math.MaxInt64, ThrottledPercent: "100.0", ThrottledPercentLow: "100.0", ThrottledPercentHigh: "100.0",
			StallP99Microseconds: math.MaxInt64, StallP99MicrosecondsHigh: math.MaxInt64, UsageMillicores: math.MaxInt64,
		})
	}
	w := e.whisper(config)
	kept := 0
	for _, evidence := range w.Spec.Evidence {
		if !strings.HasPrefix(evidence.Source, "cpu.stat") && !strings.HasPrefix(evidence.Source, "throttled time") {
			kept++
		}
	}
	if kept != 4 || len(w.Spec.Evidence) != 4+3 {
		t.Errorf("%d pieces of evidence are not of a level, want the CPU time, the wait, the weight and what was stolen: %+v", kept, w.Spec.Evidence)
	}
}
