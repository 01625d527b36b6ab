// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// crowd is a busy node with one container that nothing limits.
type crowd struct {
	*node
	c *container
	// idle is how many of the node's 200 ticks a second are.
	idle, total, idled uint64
}

func newCrowd() *crowd {
	n := &crowd{node: &node{watch: newTestWatch()}, c: newContainer()}
	n.c.limit(0, 0)
	n.watch.contention.config.Neighbor = func(uint64) v1alpha1.Preemptor { return v1alpha1.Preemptor{Namespace: "ns", Pod: "hog"} }
	return n
}

func (n *crowd) seconds(k int, usage uint64) []*v1alpha1.KernelWhisper {
	return n.run(k, func() Sample {
		s := n.c.second(0, 0, 0, 0, usage)
		n.total, n.idled = n.total+200, n.idled+n.idle
		n.told = append(n.told, n.watch.Node(Node{Time: n.c.now, Idle: n.idled, Total: n.total, CPUs: 2})...)
		return Sample{Container: s.Container, Levels: s.Levels[:1]}
	})
}

// waiting is a recording of requests that each wait so many of 100 ms for a CPU
// that somebody else has.
func (n *crowd) waiting(wait, preemptor uint64) func(LeanIn, uint64, uint64) Heard {
	return func(l LeanIn, from, to uint64) Heard {
		h := n.c.heardAt(0)(l, from, to)
		h.Replayed, h.Recording.Bursts = nil, nil
		h.Recording.Before, h.Recording.After = []event.Group{n.c.own}, []event.Group{n.c.own}
		for at := from / ms; at < to/ms-100; at += 100 {
			b := burst(1, at, at+50, event.WakerInterrupt, 0, 0, wait)
			b.Preemptor, b.PreemptorTime = preemptor, b.Queued
			h.Recording.Bursts = append(h.Recording.Bursts, b)
		}
		return h
	}
}

func TestContention(t *testing.T) {
	n := newCrowd()
	n.record = n.waiting(40, 99)
	told := n.seconds(20, 200e6)
	if len(told) != 1 {
		t.Fatalf("%d whispers", len(told))
	}
	w := told[0]
	if w.Spec.Reason != v1alpha1.ReasonCPUContention || w.Name == Name(w1(), v1alpha1.ReasonCPUThrottling, w.Spec.StartTime.Time) {
		t.Errorf("%s %s", w.Spec.Reason, w.Name)
	}
	if p := w.Spec.Bursts.Preemptors; len(p) != 1 || p[0].Pod != "hog" {
		t.Errorf("%+v", p)
	}
	k := w.Spec.KernelTruth
	if k.QuotaMicroseconds != 0 || k.ThrottledAt != "" || *k.RunQueueWaitP99Microseconds != 40_000 || k.ThrottledPercent != "0.0" {
		t.Errorf("%+v", k)
	}
	if l := n.leanIns[0]; l.Why != WhyContended || l.For != DefaultConfig().ContentionLeanIn {
		t.Errorf("%+v", l)
	}
	// It goes on as long as later recordings say so, with the same name.
	again := n.seconds(70, 200e6)
	if len(again) != 1 || again[0].Name != w.Name || !again[0].Spec.LastSeenTime.After(w.Spec.LastSeenTime.Time) {
		t.Fatalf("%v", again)
	}
	n.record = n.waiting(1, 99)
	over := n.seconds(200, 200e6)
	if len(over) != 1 || over[0].Spec.EndTime == nil || !over[0].Spec.EndTime.Equal(&again[0].Spec.LastSeenTime) {
		t.Fatalf("%v", over)
	}
}

// Go looks after itself in naps that hardly wait, and that are a hundred times as many as
// the requests.
func TestHousekeepingDoesNotHideAWait(t *testing.T) {
	n := newCrowd()
	requests := n.waiting(40, 99)
	n.record = func(l LeanIn, from, to uint64) Heard {
		h := requests(l, from, to)
		h.Recording.Language = "Go"
		for at := from; at < to; at += ms {
			h.Recording.Bursts = append(h.Recording.Bursts, event.Burst{
				TID: 9, Woken: at, Ended: at + ms/100, CPU: ms / 100, Waker: event.WakerInterrupt, Slept: sleeps[0],
			})
		}
		return h
	}
	told := n.seconds(20, 200e6)
	if len(told) != 1 || *told[0].Spec.KernelTruth.RunQueueWaitP99Microseconds != 40_000 {
		t.Fatalf("%d whispers, want one of a wait of 40 ms: %+v", len(told), told)
	}
}

// So it is where a limit throttles: the figure is of those who answer.
func TestHousekeepingIsNoWaitOfThrottledOnes(t *testing.T) {
	bursts := []event.Burst{burst(1, 5, 60, event.WakerOutside, 9, 0, 40)}
	for at := range uint64(500) {
		bursts = append(bursts, event.Burst{
			TID: 9, Woken: at * ms, Ended: at*ms + ms/100, CPU: ms / 100, Waker: event.WakerInterrupt, Slept: sleeps[0],
		})
	}
	if got := summaryOf(recording(bursts...)).figures.waitP99; got == nil || *got != 40_000 {
		t.Errorf("%v µs", got)
	}
}

func w1() Container { return Container{"ns", "pod", "uid", "app", "id"} }

func TestContentionEndsWithTheCrowd(t *testing.T) {
	n := newCrowd()
	n.record = n.waiting(40, 99)
	n.seconds(20, 200e6)
	n.idle = 100
	told := n.seconds(70, 200e6)
	if len(told) != 1 || told[0].Spec.EndTime == nil {
		t.Fatalf("%v", told)
	}
}

func TestWhatIsNoContention(t *testing.T) {
	for name, set := range map[string]func(*crowd){
		"an idle node":           func(n *crowd) { n.idle, n.record = 20, n.waiting(40, 99) },
		"turns on a busy node":   func(n *crowd) { n.record = n.waiting(8, 99) },
		"more threads than CPUs": func(n *crowd) { n.record = n.waiting(40, 1) },
		"threads in a cgroup below its own": func(n *crowd) {
			n.record = n.waiting(40, 99)
			n.watch.contention.config.Neighbor = func(uint64) v1alpha1.Preemptor {
				return v1alpha1.Preemptor{Namespace: w1().Namespace, Pod: w1().Pod, Container: w1().Name}
			}
		},
		"a lean-in that was barred": func(n *crowd) { n.record = refused },
	} {
		t.Run(name, func(t *testing.T) {
			n := newCrowd()
			set(n)
			if told := n.seconds(60, 200e6); len(told) != 0 {
				t.Errorf("%+v", told[0].Spec)
			}
		})
	}
}

func refused(l LeanIn, _, _ uint64) Heard {
	return Heard{ContainerID: l.ContainerID, Why: l.Why, Failed: "no"}
}

func TestWhoHardlyRunsIsNotListenedTo(t *testing.T) {
	n := newCrowd()
	n.record = n.waiting(40, 99)
	if n.seconds(60, 1e6); len(n.leanIns) != 0 {
		t.Errorf("%v", n.leanIns)
	}
}

func TestContentionGoesOnAfterARestart(t *testing.T) {
	n := newCrowd()
	n.record = n.waiting(40, 99)
	before := n.seconds(20, 200e6)[0]
	again := newCrowd()
	again.record = again.waiting(40, 99)
	again.watch.Resume(before.DeepCopy())
	after := again.seconds(20, 200e6)
	if len(after) != 1 || after[0].Name != before.Name || len(again.watch.Abandoned()) != 0 {
		t.Errorf("%v", after)
	}
}

func TestNodeIsParsed(t *testing.T) {
	n, err := ParseNode("cpu  10 20 30 40 5 6 7 8 9 1\ncpu0 1 2\ncpu3 1 2\nintr 5\n", 77)
	if err != nil || n != (Node{Time: 77, Idle: 45, Steal: 8, Total: 126, CPUs: 2}) {
		t.Errorf("%+v %v", n, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu a b c d e f g h", "cpu  10 20 30 40 5 6 7 8 9 1\nintr 5\n"} {
		if _, err := ParseNode(bad, 1); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestRequestsFromWeights(t *testing.T) {
	for shares, want := range map[uint64]int64{2: 0, 102: 100, 256: 250, 1024: 1000, 2048: 2000} {
		if got := RequestOfShares(shares); got != want {
			t.Errorf("shares %d: %dm, want %dm", shares, got, want)
		}
	}
	for request := int64(3); request <= 64_000; request++ {
		if got := RequestOfShares(uint64(request) * 1024 / 1000); got != request {
			t.Fatalf("%dm is told as %dm", request, got)
		}
	}
	// cpu.weight 1, 4, 39 and 79 are what 2, 102, 1024 and 2048 shares give.
	for weight, want := range map[uint64][2]int64{1: {0, 0}, 4: {75, 105}, 39: {970, 1005}, 79: {1990, 2020}} {
		if got := RequestOfWeight((weight*1024 + 50) / 100); got < want[0] || got > want[1] {
			t.Errorf("weight %d: %dm, want %v", weight, got, want)
		}
	}
}
