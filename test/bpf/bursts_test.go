// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// The CPU time of a thread's bursts is the thread's own account of it, and what a
// burst is made of adds up to its length.
func TestBurstsAgainstTheThreadsAccount(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "account")
	insistent(t, func() (uint64, string) {
		r, deeds := record(t, l, "mixed", dir, 2*time.Second, "free")
		for _, d := range deeds {
			s, n := sum(r, d.TID)
			t.Logf("thread %d: %d bursts for %d rounds, CPU %s of %s by its clock, parked %s, queued %s (schedstat %s)", d.TID, n, d.Times,
				time.Duration(s.CPU), time.Duration(d.CPU), time.Duration(s.Parked), time.Duration(s.Queued), time.Duration(d.Queued))
			if !near(float64(s.CPU), float64(d.CPU), 0.05*slack, 10*slack*time.Millisecond) {
				return r.Lost, fmt.Sprintf("thread %d used %d ns, its bursts have %d", d.TID, d.CPU, s.CPU)
			}
			if n < d.Times || s.Parked > 0 {
				return r.Lost, fmt.Sprintf("%d bursts in %d rounds, parked for %d ns without a limit", n, d.Times, s.Parked)
			}
		}
		if r.Language != "Go" || r.Threads < len(deeds) || r.CPUs < 1 || r.RunnableMax < 1 || r.Switches == 0 {
			return r.Lost, fmt.Sprintf("%+v", summary(r))
		}
		return r.Lost, whole(r)
	})
}

func summary(r event.Recording) event.Recording {
	r.Bursts = nil
	return r
}

// whole checks what is true of every burst. A burst is at least as long as what it is
// made of; the scheduler's clock and ours differ by a little.
func whole(r event.Recording) string {
	for i, b := range r.Bursts {
		length := b.Ended - b.Woken
		switch {
		case b.Ended < b.Woken || b.Woken < r.From || b.Ended > r.To:
			return fmt.Sprintf("not within the recording: %+v", b)
		case i > 0 && b.Ended < r.Bursts[i-1].Ended:
			return fmt.Sprintf("not in order: %+v", b)
		// A piece has CPU time that the scheduler had not charged to the one before.
		case b.CPU+b.Parked+b.Queued > length+length/10+uint64(12*slack*time.Millisecond):
			return fmt.Sprintf("more than its length: %+v", b)
		case b.PreemptorTime > b.Queued+uint64(slack*time.Millisecond):
			return fmt.Sprintf("the preemptor ran longer than the thread was queued: %+v", b)
		}
	}
	return ""
}

// A thread that is alone on its CPU and does not block is not switched for long: it is
// told in pieces all the same.
func TestAThreadThatNeverBlocksIsToldInPieces(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "batch")
	insistent(t, func() (uint64, string) {
		r, deeds := record(t, l, "spin", dir, 2*time.Second, "free")
		d := deeds[0]
		s, n := sum(r, d.TID)
		t.Logf("%d pieces, CPU %s of %s", n, time.Duration(s.CPU), time.Duration(d.CPU))
		if n < 5 || !near(float64(s.CPU), float64(d.CPU), 0.05*slack, 20*slack*time.Millisecond) {
			return r.Lost, fmt.Sprintf("%d pieces with %d ns, the thread used %d", n, s.CPU, d.CPU)
		}
		var last event.Burst
		for _, b := range r.Bursts {
			if b.TID != d.TID {
				continue
			}
			if last.GoesOn && (b.Woken != last.Ended || b.Waker != event.WakerNone) {
				return r.Lost, fmt.Sprintf("%+v does not go on from %+v", b, last)
			}
			if b.Ended-b.Woken > uint64(time.Second) {
				return r.Lost, fmt.Sprintf("a long piece: %+v", b)
			}
			last = b
		}
		return r.Lost, ""
	})
}

func TestTwoAreListenedToAtATime(t *testing.T) {
	l := ears(t)
	first, _ := makeCgroup(t, "first")
	second, _ := makeCgroup(t, "second")
	third, _ := makeCgroup(t, "third")
	eavesdrop(t, l, first)
	eavesdrop(t, l, second)
	if err := l.Start(inode(t, third)); !errors.Is(err, bursts.ErrBusy) {
		t.Errorf("a third one: %v", err)
	}
	if err := l.Start(inode(t, first)); !errors.Is(err, bursts.ErrListened) {
		t.Errorf("the first one once more: %v", err)
	}
	if _, err := l.Stop(inode(t, third)); !errors.Is(err, bursts.ErrNotListened) {
		t.Errorf("what was not started: %v", err)
	}
	one, two := act(t, "mixed", first, time.Second, "free"), act(t, "spin", second, time.Second, "free")
	one.begin(t)
	two.begin(t)
	mixed, spun := one.said(t), two.said(t)
	a := stopListening(t, l, first)
	eavesdrop(t, l, third) // there is room again
	b := stopListening(t, l, second)
	if c := stopListening(t, l, third); len(c.Bursts) != 0 {
		t.Errorf("heard where nothing runs: %+v", c)
	}
	for _, d := range mixed {
		if _, n := sum(a, d.TID); n == 0 {
			t.Errorf("thread %d of the first was not heard", d.TID)
		}
		if _, n := sum(b, d.TID); n != 0 {
			t.Errorf("thread %d of the first was heard in the second", d.TID)
		}
	}
	if _, n := sum(b, spun[0].TID); n == 0 {
		t.Error("the second was not heard")
	}
	if err := l.Start(1 << 60); !errors.Is(err, bursts.ErrUnknown) {
		t.Errorf("a cgroup that is not: %v", err)
	}
}

// What was heard of a cgroup that has been removed is told, and so is what threads in
// cgroups below do.
func TestACgroupBelowAndOneThatIsRemoved(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "above")
	sub := subgroup(t, dir, "below")
	id := inode(t, dir)
	s := act(t, "mixed", sub, time.Second, "free")
	eavesdrop(t, l, dir)
	s.begin(t)
	deeds := s.said(t)
	_ = s.in.Close() // ends it
	removeCgroup(t, sub)
	removeCgroup(t, dir)
	r, err := l.Stop(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deeds {
		if _, n := sum(r, d.TID); n < d.Times/2 {
			t.Errorf("%d bursts of thread %d, which slept %d times; lost %d", n, d.TID, d.Times, r.Lost)
		}
	}
}

// Bursts that are under way are told as pieces when the listening ends.
func TestWhatIsUnderWayAtTheEndIsTold(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "underway")
	limit(t, dir, 10_000)
	s := act(t, "spins", dir, time.Hour, "pinned")
	s.begin(t)
	waitForThrottling(t, dir)
	eavesdrop(t, l, dir)
	waitForThrottling(t, dir)
	r := stopListening(t, l, dir)
	if wrong := whole(r); wrong != "" {
		t.Error(wrong)
	}
	last := map[uint32]event.Burst{}
	for _, b := range r.Bursts {
		last[b.TID] = b
	}
	under := 0
	for _, b := range last {
		if b.GoesOn && r.To-b.Ended < uint64(200*time.Millisecond) {
			under++
		}
	}
	if under == 0 {
		t.Errorf("no thread is told to the end: %+v, %+v", last, summary(r))
	}
}

// waitForThrottling waits until the group has been throttled ten times more.
func waitForThrottling(t *testing.T, dir string) {
	t.Helper()
	before := cpuStat(t, dir)["nr_throttled"]
	for deadline := time.Now().Add(patience); cpuStat(t, dir)["nr_throttled"] < before+10; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is not throttled")
		}
	}
}
