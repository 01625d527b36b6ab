// SPDX-License-Identifier: Apache-2.0

package bursts

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// Wakers by number, as enum kg_waker in bpf/burst.h.
var wakers = [...]event.Waker{
	event.WakerNone, event.WakerInterrupt, event.WakerOutside, event.WakerOwn, event.WakerBorn,
}

// Languages by number, as enum kg_language.
var languages = [...]string{"", "Go", "JVM"}

// States of a thread, as enum kg_state.
const (
	stateBlocked = iota
	stateWaiting
	stateRunning
)

// hearing is a recording under way.
type hearing struct {
	recording event.Recording
	max       int
	serving   int // how many of the bursts serve somebody
	// What had been lost, and how often programs had been left out, when it began.
	lostBefore, skippedBefore uint64
	languages                 map[uint32]uint8 // of threads
}

func (l *Listener) begin(slot int, cgroup uint64) (*hearing, error) {
	h := &hearing{max: l.max, languages: map[uint32]uint8{}}
	h.recording.Cgroup = cgroup
	var err error
	if h.lostBefore, h.skippedBefore, err = l.losses(slot); err != nil {
		return nil, err
	}
	h.recording.From = probe.Now()
	return h, nil
}

// losses so far: bursts of the slot that were not told, and runs of programs that the
// kernel left out, whosoever they were (5.12 and later count them).
func (l *Listener) losses(slot int) (lost, skipped uint64, err error) {
	var perCPU []uint64
	if err := l.objects.Lost.Lookup(uint32(slot), &perCPU); err != nil {
		return 0, 0, fmt.Errorf("read lost bursts: %w", err)
	}
	for _, n := range perCPU {
		lost += n
	}
	for _, prog := range l.programs() {
		stats, err := prog.Stats()
		if err != nil {
			return 0, 0, fmt.Errorf("read what %s missed: %w", prog, err)
		}
		skipped += stats.RecursionMisses
	}
	return lost, skipped, nil
}

func (l *Listener) countLost(slot int, h *hearing) error {
	lost, skipped, err := l.losses(slot)
	if err == nil {
		h.recording.Lost += lost - h.lostBefore + skipped - h.skippedBefore
	}
	return err
}

// drainAlong empties the ring and looks at what runs, until it is told to stop.
func (l *Listener) drainAlong(stop <-chan struct{}) {
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for pulsed := time.Now(); ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		l.mu.Lock()
		if l.closed || l.stop == nil {
			l.mu.Unlock()
			return
		}
		err := l.drain()
		if time.Since(pulsed) >= pulseInterval {
			pulsed = time.Now()
			err = errors.Join(err, l.pulse(false))
		}
		l.failed = err
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// drain takes what is in the ring.
func (l *Listener) drain() error {
	if l.reader == nil {
		return errClosed
	}
	var record ringbuf.Record
	for {
		l.reader.SetDeadline(time.Unix(1, 0)) // do not wait
		err := l.reader.ReadInto(&record)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("read the ring of bursts: %w", err)
		case len(record.RawSample) < int(unsafe.Sizeof(burstsKgBurst{})):
			return fmt.Errorf("decode a burst: %d bytes", len(record.RawSample))
		}
		// The ring aligns samples to 8 bytes.
		l.hear((*burstsKgBurst)(unsafe.Pointer(unsafe.SliceData(record.RawSample))))
	}
}

func (l *Listener) hear(b *burstsKgBurst) {
	for _, h := range l.heard {
		if h != nil && h.recording.Cgroup == b.Cgroup {
			h.keep(b)
		}
	}
}

func (h *hearing) keep(b *burstsKgBurst) {
	r := &h.recording
	r.CPUs = max(r.CPUs, int(b.Cpus))
	r.Switches += uint64(b.Switches)
	if int(b.Language) < len(languages) && (b.Language != 0 || h.languages[b.Tid] == 0) {
		h.languages[b.Tid] = b.Language
	}
	if len(r.Bursts) >= h.max {
		r.Lost++
		return
	}
	r.Bursts = append(r.Bursts, decode(b))
	if last := &r.Bursts[len(r.Bursts)-1]; last.Serves(r.Cgroup) {
		h.serving++
	}
}

func decode(b *burstsKgBurst) event.Burst {
	out := event.Burst{
		TGID: b.Tgid, TID: b.Tid, Woken: b.Woken, Ended: b.Ended, CPU: b.Cpu,
		Parked: b.Parked, Queued: b.Queued, Preemptor: b.Preemptor, PreemptorTime: b.PreemptorTime,
		Switches: b.Switches, Waker: event.WakerNone, WakerTID: b.WakerTid, WakerCgroup: b.WakerCgroup,
		Slept: b.Slept, GoesOn: b.GoesOn != 0,
	}
	if int(b.Waker) < len(wakers) {
		out.Waker = wakers[b.Waker]
	}
	return out
}

// flush tells the bursts that are under way and removes the cgroup's threads from the
// kernel's table.
func (l *Listener) flush(h *hearing) error {
	var (
		tid    uint32
		thread burstsKgThread
		gone   []uint32
	)
	all := l.objects.Threads.Iterate()
	for all.Next(&tid, &thread) {
		if thread.Burst.Cgroup != h.recording.Cgroup {
			continue
		}
		gone = append(gone, tid)
		h.underWay(&thread)
	}
	// A table that changes is gone through from its start again, a bounded number of times.
	if err := all.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("list threads: %w", err)
	}
	for _, tid := range gone {
		if err := l.objects.Threads.Delete(tid); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forget a thread: %w", err)
		}
	}
	return nil
}

// underWay keeps what a thread has not ended yet. Of a wait it is known only how it
// began: held by a quota or not. What ran meanwhile is told on the thread's return.
func (h *hearing) underWay(t *burstsKgThread) {
	b, to := t.Burst, h.recording.To
	switch t.State {
	case stateBlocked:
		if t.WakeAt == 0 {
			return
		}
		b = burstsKgBurst{
			Cgroup: b.Cgroup, Tgid: b.Tgid, Tid: b.Tid, Slept: b.Slept, Cpus: b.Cpus, Language: b.Language,
			Woken: max(t.WakeAt, b.Ended), Waker: uint8(t.WakeClass), WakerTid: t.WakeTid, WakerCgroup: t.WakeCgroup,
		}
		if t.WaitFrom < b.Woken {
			t.Held = 0 // of an earlier wait
		}
		t.WaitFrom = b.Woken
	case stateRunning: // pulse has told of it, but for what came since
		if b.Cpu == 0 {
			return
		}
		t.WaitFrom = to
	}
	if wait := to - min(to, t.WaitFrom); t.Held != 0 {
		b.Parked += wait
	} else {
		b.Queued += wait
	}
	b.Ended, b.GoesOn = to, 1
	if b.Woken >= to {
		return
	}
	h.keep(&b)
}

// close puts the recording in order and sums it up.
func (h *hearing) close() event.Recording {
	r := &h.recording
	slices.SortStableFunc(r.Bursts, func(a, b event.Burst) int { return cmp.Compare(a.Ended, b.Ended) })
	if n := len(r.Bursts); n > 0 { // a program was under way when the others were told to stop
		r.To = max(r.To, r.Bursts[n-1].Ended)
	}
	r.RunnableMax = runnableMax(r.Bursts)
	threads := map[uint32]bool{}
	for _, b := range r.Bursts {
		threads[b.TID] = true
	}
	r.Threads = len(threads)
	r.Language = h.language()
	return *r
}

// language is what most threads' program is; empty if of most it is not known.
func (h *hearing) language() string {
	var count [len(languages)]int
	for _, language := range h.languages {
		count[language]++
	}
	most := 0
	for i, n := range count {
		if n > count[most] {
			most = i
		}
	}
	return languages[most]
}

// runnableMax is the most of the bursts that were under way at once.
func runnableMax(bursts []event.Burst) int {
	type edge struct {
		at   uint64
		step int
	}
	edges := make([]edge, 0, 2*len(bursts))
	for _, b := range bursts {
		edges = append(edges, edge{b.Woken, 1}, edge{b.Ended, -1})
	}
	// Ends before beginnings: the pieces of one thread follow each other.
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step))
	})
	now, most := 0, 0
	for _, e := range edges {
		now += e.step
		most = max(most, now)
	}
	return most
}
