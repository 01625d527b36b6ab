// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"testing"
	"time"
)

// While a node starts, the API server tells its pods as they were before, and the
// kubelet makes their cgroups, in either order.
func TestAPodWhoseNodeWasStartedAgainIsNotBorn(t *testing.T) {
	before := running(true)
	before.FirstStarted = epoch.Add(-time.Hour)
	for name, happens := range map[string]func(b *Book){
		"told first": func(b *Book) { b.Tell(before, sec); begin(b, 10*sec) },
		"told later": func(b *Book) { begin(b, 10*sec); b.Tell(before, 11*sec) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestBook(false)
			happens(b)
			if n := b.Open(); n != 0 {
				t.Fatalf("%d births", n)
			}
			again := before
			again.Containers = []Container{{Name: "app", ID: "c0", Running: true, Restarts: 1}}
			b.Tell(again, 12*sec)
			begin(b, 13*sec)
			if n := b.Open(); n != 0 || b.Expecting(14*sec) {
				t.Errorf("%d births afterwards", n)
			}
		})
	}
}

func TestAPodThatIsBornHasNoContainerFromBefore(t *testing.T) {
	born := running(true)
	born.FirstStarted = epoch.Add(10 * time.Second) // a whole second, of the same one
	b := newTestBook(false)
	begin(b, 10*sec+900*ms)
	b.Tell(born, 12*sec)
	if n := b.Open(); n != 1 {
		t.Errorf("%d births", n)
	}
}

// Where the clock was set between a pod's cgroup and its container, their times cannot
// be compared.
func TestAStepIsNoRestart(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		b := newTestBook(false)
		step := time.Duration(0)
		b.config.Wall = func(t uint64) time.Time { return epoch.Add(time.Duration(t) + step) }
		begin(b, 10*sec)
		step = by
		born := running(true)
		born.FirstStarted = epoch.Add(11*time.Second + step)
		b.Tell(born, 12*sec)
		if n := b.Open(); n != 1 {
			t.Errorf("set by %s: %d births", by, n)
		}
	}
}

// A cgroup that is made anew after the birth makes no second one.
func TestAPodIsBornOnce(t *testing.T) {
	b := newTestBook(false)
	begin(b, sec)
	b.Tell(running(true), 2*sec)
	mustClose(t, b, 3*sec)
	b.CgroupGone(uid, 59*sec)
	begin(b, 60*sec)
	if n := b.Open(); n != 0 {
		t.Errorf("%d births", n)
	}
}
