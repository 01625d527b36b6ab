// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// The time for which a thread was held by a quota is that of cpu.stat: one level, one
// CPU, one thread that always wants to run. So it is no queueing behind neighbors,
// although the thread leaves the CPU as one that is ready to run: the three add up.
func TestParkedAgainstCPUStat(t *testing.T) {
	l := ears(t)
	for _, quota := range []int{10_000, 30_000, 70_000} {
		t.Run(fmt.Sprint(quota), func(t *testing.T) {
			dir, _ := makeCgroup(t, fmt.Sprint("parked-", quota))
			limit(t, dir, quota)
			insistent(t, func() (uint64, string) {
				before := stolen(t)
				r, deeds := record(t, l, "spin", dir, 2*time.Second, "pinned")
				gone := stolen(t) - before
				d := deeds[0]
				b, n := sum(r, d.TID)
				t.Logf("parked %s in %d pieces, queued %s, CPU %s of %s; cpu.stat: %s; lost %d", time.Duration(b.Parked), n,
					time.Duration(b.Queued), time.Duration(b.CPU), time.Duration(b.Ended-b.Woken), time.Duration(d.Times), r.Lost)
				// Before and after it has looked at cpu.stat it may be held for once.
				if !near(float64(b.Parked), float64(d.Times), 0.04*slack, 100*slack*time.Millisecond+gone) {
					return r.Lost, fmt.Sprintf("parked for %d ns, cpu.stat has %d", b.Parked, d.Times)
				}
				length := b.Ended - b.Woken
				if !near(float64(b.CPU+b.Parked+b.Queued), float64(length), 0.1*slack, 50*slack*time.Millisecond+gone) {
					return r.Lost, fmt.Sprintf("%d ns of CPU, %d parked and %d queued are not %d", b.CPU, b.Parked, b.Queued, length)
				}
				return r.Lost, whole(r)
			})
		})
	}
}

// A group without a quota below a limited one shows nothing in its cpu.stat, and its
// threads are held all the same.
func TestParkedByTheQuotaOfAnAncestor(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "ancestor")
	sub := subgroup(t, dir, "unlimited")
	limit(t, dir, 20_000)
	insistent(t, func() (uint64, string) {
		own, before := cpuStat(t, sub), stolen(t)
		r, deeds := record(t, l, "spin", sub, 2*time.Second, "pinned")
		gone := stolen(t) - before
		d := deeds[0]
		b, _ := sum(r, d.TID)
		t.Logf("parked %s, cpu.stat above: %s; its own: %v", time.Duration(b.Parked), time.Duration(d.Times), cpuStat(t, sub))
		if now := cpuStat(t, sub); now["nr_throttled"] != own["nr_throttled"] || throttledTime(now) != throttledTime(own) {
			t.Errorf("this kernel counts throttling in a group without a quota: %v", now)
		}
		if b.Parked == 0 || !near(float64(b.Parked), float64(d.Times), 0.04*slack, 100*slack*time.Millisecond+gone) {
			return r.Lost, fmt.Sprintf("parked for %d ns, cpu.stat above has %d", b.Parked, d.Times)
		}
		return r.Lost, ""
	})
}

// Held threads add up to more than there was time, as cpu.stat does.
func TestParkedMoreThanTheTime(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "overlap")
	limit(t, dir, 10_000)
	insistent(t, func() (uint64, string) {
		r, deeds := record(t, l, "spins", dir, 2*time.Second, "free")
		var parked, took uint64
		for _, d := range deeds {
			b, _ := sum(r, d.TID)
			parked, took = parked+b.Parked, max(took, uint64(d.Took))
		}
		t.Logf("two threads were parked for %s in %s; runnable at most %d", time.Duration(parked), time.Duration(took), r.RunnableMax)
		// In a slow emulator the time before they are let go is long as well.
		if parked < took*6/5 && parked < uint64(2400*time.Millisecond) || r.RunnableMax < 2 {
			return r.Lost, fmt.Sprintf("parked for %d ns in %d; %+v", parked, took, summary(r))
		}
		return r.Lost, ""
	})
}

// The time for which a thread is ready and another group has its CPU is the kernel's
// own account of it, and the other group is told.
func TestQueuedAgainstSchedstat(t *testing.T) {
	l := ears(t)
	neighbour, _ := makeCgroup(t, "neighbour")
	dir, _ := makeCgroup(t, "queued")
	compete := exec.Command(program(t, "competitor"), "compete")
	out, err := compete.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := compete.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = compete.Process.Kill(), compete.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(neighbour, "cgroup.procs"), strconv.Itoa(compete.Process.Pid))
	insistent(t, func() (uint64, string) {
		before := stolen(t)
		s := act(t, "first", dir, 2*time.Second, "free")
		eavesdrop(t, l, dir)
		ran, accounted := ranSoFar(t, compete.Process.Pid)
		s.begin(t)
		d := s.said(t)[0]
		now, _ := ranSoFar(t, compete.Process.Pid)
		r := stopListening(t, l, dir)
		ran, gone := now-ran, stolen(t)-before
		b, _ := sum(r, d.TID)
		queued := d.Queued
		if queued < 0 {
			queued = d.Took - d.CPU
		}
		by := map[uint64]uint64{}
		for _, b := range r.Bursts {
			if b.TID == d.TID {
				by[b.Preemptor] += b.PreemptorTime
			}
		}
		t.Logf("queued %s, by the kernel's account %s (took %s, CPU %s); the neighbour ran %s of it, by the kernel's account %s; %v", time.Duration(b.Queued), time.Duration(queued),
			time.Duration(d.Took), time.Duration(d.CPU), time.Duration(by[inode(t, neighbour)]), ran, by)
		if !near(float64(b.Queued), float64(queued), 0.1*slack, 20*slack*time.Millisecond+gone) || b.Parked > 0 {
			return r.Lost, fmt.Sprintf("queued for %d ns and parked for %d, by the kernel's account %d", b.Queued, b.Parked, queued)
		}
		// Of each burst one group is told, and of a wait for many its last turns: where
		// others had a part in it, the neighbor's is a lower bound of what it ran. Before
		// the thread has begun the neighbor runs as well.
		hers, told := time.Duration(by[inode(t, neighbour)]), time.Duration(0)
		for _, d := range by {
			told += time.Duration(d)
		}
		room := ran/10 + 20*slack*time.Millisecond + gone
		alone := accounted && ran >= time.Duration(queued)*9/10 && told-hers <= time.Duration(queued)/20
		switch {
		case hers == 0:
			return r.Lost, fmt.Sprintf("the neighbour %d is not told: %v", inode(t, neighbour), by)
		case accounted && hers > ran+room:
			return r.Lost, fmt.Sprintf("the neighbour %d ran %s by the kernel's account: %v", inode(t, neighbour), ran, by)
		case alone && hers < time.Duration(queued)*4/5-room:
			return r.Lost, fmt.Sprintf("of %s next to nobody but the neighbour %d ran: %v", time.Duration(queued), inode(t, neighbour), by)
		}
		return r.Lost, whole(r)
	})
}

// ranSoFar is how long a process was on a CPU by the kernel's own account of its
// threads, if it keeps one.
func ranSoFar(t *testing.T, pid int) (ran time.Duration, accounted bool) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var one time.Duration
		if raw, err := os.ReadFile(f); err == nil { //nolint:gosec // of a process of ours
			if _, err := fmt.Sscan(string(raw), &one); err == nil {
				ran, accounted = ran+one, true
			}
		}
	}
	return ran, accounted
}

// Held and queued at once: a limit, and a neighbor on the same CPU.
func TestParkedAndQueued(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "both")
	limit(t, dir, 20_000)
	neighbour, _ := makeCgroup(t, "rival")
	rival := act(t, "spin", neighbour, time.Hour, "pinned")
	rival.begin(t)
	insistent(t, func() (uint64, string) {
		before := stolen(t)
		r, deeds := record(t, l, "spin", dir, 2*time.Second, "pinned")
		gone := stolen(t) - before
		d := deeds[0]
		b, _ := sum(r, d.TID)
		t.Logf("parked %s, cpu.stat %s; queued %s; CPU %s; took %s", time.Duration(b.Parked), time.Duration(d.Times),
			time.Duration(b.Queued), time.Duration(b.CPU), time.Duration(d.Took))
		// Two groups want to run where the time of the one is up: the clocks of both
		// accounts are read some switches apart.
		if !near(float64(b.Parked), float64(d.Times), 0.1*slack, 100*slack*time.Millisecond+gone) || b.Queued == 0 {
			return r.Lost, fmt.Sprintf("parked for %d ns, cpu.stat has %d; queued for %d", b.Parked, d.Times, b.Queued)
		}
		return r.Lost, whole(r)
	})
}

// Only periods in which the group wants to run are counted, and its timer then rests:
// the phase is that of the last period.
func TestPeriodsOfAGroupAtRest(t *testing.T) {
	k := listen(t)
	dir, path := makeCgroup(t, "phase")
	limit(t, dir, 20_000)
	made := k.made(path)
	s := act(t, "spin", dir, time.Hour, "pinned")
	s.begin(t)
	insistent(t, func() (uint64, string) {
		before := stolen(t)
		waitForThrottling(t, dir)
		g, err := k.ReadGroup(made.Cgroup, made.Pointer)
		if err != nil {
			t.Fatal(err)
		}
		// The timer is late by what its interrupt is late.
		late := uint64(50*time.Millisecond + stolen(t) - before)
		if g.Expires+late < g.Time || g.Expires > g.Time+g.Period+late {
			return 0, fmt.Sprintf("at %d the next period begins at %d: %+v", g.Time, g.Expires, g)
		}
		if g.Shares != 1024 || g.Burst != 0 {
			t.Errorf("weight or burst: %+v", g)
		}
		return 0, ""
	})
	s.kill()
	atRest(t, dir)
	var err error
	var rest event.Group
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if rest, err = k.ReadGroup(made.Cgroup, made.Pointer); err != nil {
			t.Fatal(err)
		}
		if rest.Expires+2*rest.Period < rest.Time {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the timer does not rest: %+v", rest)
		}
	}
	later, err := k.ReadGroup(made.Cgroup, made.Pointer)
	if err != nil || later.Periods != rest.Periods {
		t.Errorf("periods are counted at rest: %+v, then %+v, %v", rest, later, err)
	}
}
