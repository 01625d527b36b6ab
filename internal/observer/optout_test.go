// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"log/slog"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// throttled is a kernel whose one container is throttled in every period.
type throttled struct {
	silent
	now uint64
}

func (k *throttled) ReadGroup(id, pointer uint64) (event.Group, error) {
	g, err := k.silent.ReadGroup(id, pointer)
	g.Time, g.Periods, g.Throttled, g.Usage = k.now, uint32(k.now/1e8), uint32(k.now/1e8), k.now/10
	return g, err
}

// notebook is a sink.
type notebook struct{ whispers []*v1alpha1.KernelWhisper }

func (*notebook) Certificate(*v1alpha1.PodBirthCertificate) {}
func (n *notebook) Whisper(w *v1alpha1.KernelWhisper)       { n.whispers = append(n.whispers, w) }

// episode is an engine in the middle of an episode, whose bursts are listened to.
type episode struct {
	k     *throttled
	e     *Engine
	told  *notebook
	asked []LeanIn
}

func podOfEpisode(optedOut bool) birth.Pod {
	return birth.Pod{UID: silentPod, Namespace: "shop", Name: "web", Phase: "Running", Ready: true, OptedOut: optedOut,
		Containers: []birth.Container{{Name: "web", ID: silentContainer}}}
}

func midst(t *testing.T) *episode {
	t.Helper()
	x := &episode{k: &throttled{now: uint64(time.Hour)}, told: &notebook{}}
	c := Config{CPU: cpu.DefaultConfig()}
	c.CPU.Wall = func(at uint64) time.Time { return time.Unix(0, int64(at)) }
	c.Birth.Wall = c.CPU.Wall
	e, err := NewEngine(c, x.k, slog.New(slog.DiscardHandler), x.told)
	if err != nil {
		t.Fatal(err)
	}
	e.LeanWith(func(l LeanIn) { x.asked = append(x.asked, l) })
	x.e = e
	e.Pod(podOfEpisode(false), x.k.now)
	x.seconds(5)
	if len(x.told.whispers) != 1 || len(x.asked) != 1 {
		t.Fatalf("%d whispers, %d lean-ins: no episode", len(x.told.whispers), len(x.asked))
	}
	return x
}

func (x *episode) seconds(n int) {
	for range n {
		x.k.now += uint64(time.Second)
		x.e.Throttling(x.k.now)
	}
}

// hear tells what the lean-in that began has heard until now.
func (x *episode) hear() {
	group := func(at uint64) []event.Group {
		return []event.Group{{Cgroup: 3, Time: at, Quota: 1e7, Period: 1e8}}
	}
	from := x.k.now - uint64(5*time.Second)
	x.e.Heard(Heard{Heard: cpu.Heard{ContainerID: silentContainer, Why: x.asked[0].Why, Recording: event.Recording{
		Cgroup: 3, From: from, To: x.k.now, Before: group(from), After: group(x.k.now),
		Bursts: []event.Burst{{TID: 1, Woken: from, Ended: from + 1e6, CPU: 1e6, Waker: event.WakerInterrupt}},
	}}}, x.k.now)
}

func TestAnEpisodeIsHeard(t *testing.T) {
	x := midst(t)
	x.seconds(3)
	before := len(x.told.whispers)
	x.hear()
	if got := x.told.whispers[before:]; len(got) != 1 || got[0].Spec.Bursts == nil {
		t.Fatalf("%+v", got)
	}
}

// Who opts out in the middle of an episode is told to have ended, and from then on
// neither read nor listened to; what was being listened to meanwhile is dropped.
func TestOptingOutInAnEpisode(t *testing.T) {
	x := midst(t)
	x.e.Pod(podOfEpisode(true), x.k.now)
	if last := x.told.whispers[len(x.told.whispers)-1]; len(x.told.whispers) != 2 || last.Spec.EndTime == nil {
		t.Fatalf("%d whispers, the last is %+v", len(x.told.whispers), last.Spec)
	}
	reads := x.k.reads
	x.seconds(3)
	x.hear()
	x.seconds(600)
	x.e.Pod(podOfEpisode(true), x.k.now)
	if len(x.told.whispers) != 2 || len(x.asked) != 1 || x.k.reads != reads || x.e.Stats().EpisodesOpen != 0 {
		t.Errorf("%d whispers, %d lean-ins, %d readings, %+v", len(x.told.whispers), len(x.asked), x.k.reads-reads, x.e.Stats().CPU)
	}
}

// A recording that goes back to before an opt-out is not told after it was taken back.
func TestOptingOutAndIn(t *testing.T) {
	x := midst(t)
	x.e.Pod(podOfEpisode(true), x.k.now)
	x.e.Pod(podOfEpisode(false), x.k.now)
	x.seconds(5)
	whispers := len(x.told.whispers)
	if whispers != 3 || x.told.whispers[2].Name == x.told.whispers[0].Name {
		t.Fatalf("%d whispers; want a new episode", whispers)
	}
	x.hear()
	if len(x.told.whispers) != whispers {
		t.Errorf("the old recording is told: %+v", x.told.whispers[whispers].Spec.Bursts)
	}
	x.seconds(60)
	if len(x.asked) != 2 {
		t.Errorf("%d lean-ins; want one of the new episode", len(x.asked))
	}
}
