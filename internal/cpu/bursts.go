// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const (
	// stalledFrom is how long a quota must have held an activation for it to count
	// as stalled.
	stalledFrom = uint64(time.Millisecond)
	// wholeWindow is the share of a recording for which activations that nobody asked
	// for must have been under way to be a loop that never sleeps: a thread is first
	// heard when it first leaves or comes to its CPU.
	wholeWindow = 0.9
	// periodDefault stands in where no quota tells a period.
	periodDefault = uint64(100 * time.Millisecond)
)

// figures are those of a KernelTruth that come from a recording.
type figures struct {
	threadTimeLost       string
	stallP50, stallP99   *int64
	waitP99              *int64
	switches, runnable   int64
	parked, cpu, queued  uint64
	foreign, ownQueue    uint64 // known parts of queued: neighbors ran, or its own threads
	outside, activations int64
}

// write puts the figures into a truth, or takes old ones out.
func (f *figures) write(k *v1alpha1.KernelTruth) {
	k.ThreadTimeLostPercent, k.StallP50Microseconds, k.StallP99Microseconds = "", nil, nil
	k.RunQueueWaitP99Microseconds, k.ContextSwitches, k.RunnableThreadsMax = nil, nil, nil
	if f == nil {
		return
	}
	switches, runnable := f.switches, f.runnable
	k.ThreadTimeLostPercent = f.threadTimeLost
	k.StallP50Microseconds, k.StallP99Microseconds = f.stallP50, f.stallP99
	k.RunQueueWaitP99Microseconds = f.waitP99
	k.ContextSwitches, k.RunnableThreadsMax = &switches, &runnable
}

// summary is what a recording says, in the terms of the API.
type summary struct {
	bursts  v1alpha1.Bursts
	figures figures
}

// summarize counts the activations of a recording of a container.
func summarize(r event.Recording, of Container, wall func(uint64) time.Time, name Neighbor) summary {
	all := activations(r)
	s := summary{bursts: v1alpha1.Bursts{
		Time:               metav1.NewMicroTime(wall(r.To)),
		WindowMilliseconds: max(1, int64(span(r.From, r.To)/1e6)),
		Threads:            int64(r.Threads), CPUs: int64(r.CPUs), Language: r.Language,
		StolenMicroseconds: int64(r.Stolen / 1000), Lost: int64(r.Lost),
	}}
	f := &s.figures
	var stalls []uint64
	for i := range all {
		a := &all[i]
		f.cpu, f.parked, f.queued = f.cpu+a.cpu, f.parked+a.parked, f.queued+a.queued
		if !a.complete {
			continue
		}
		s.bursts.Activations++
		if a.outside {
			stalls = append(stalls, a.stall)
		}
	}
	s.bursts.OutsideActivations = int64(len(stalls))
	for _, stall := range stalls {
		if stall >= stalledFrom {
			s.bursts.StalledActivations++
		}
	}
	s.bursts.CPUMicroseconds, s.bursts.ParkedMicroseconds, s.bursts.QueuedMicroseconds =
		int64(f.cpu/1000), int64(f.parked/1000), int64(f.queued/1000)
	s.bursts.PeakCPUMicroseconds = int64(peak(r, all) / 1000)
	s.bursts.NeverSleptPercent = percent(neverSlept(r, all), f.cpu)
	s.bursts.ParallelThreads, s.bursts.LoopingThreads = parallel(all), looping(r, all)
	ran := meanwhile(r, of, name)
	s.bursts.Preemptors = preemptors(ran)
	for _, x := range ran {
		if x.own {
			f.ownQueue += x.waited
		} else {
			f.foreign += x.waited
		}
	}
	f.waitP99 = waitOfWork(all)
	f.take(r, s.bursts, stalls)
	return s
}

func (f *figures) take(r event.Recording, b v1alpha1.Bursts, stalls []uint64) {
	if ready := f.cpu + f.parked + f.queued; ready > 0 {
		f.threadTimeLost = percent(f.parked, ready)
	}
	f.stallP50, f.stallP99 = rank(stalls, 50), rank(stalls, 99)
	f.switches, f.runnable = int64(r.Switches), int64(r.RunnableMax)
	f.activations, f.outside = b.Activations, b.OutsideActivations
}

// waitOfWork is the 99th percentile of the wait for a CPU, in whole microseconds, of
// activations but those of a runtime that looks after itself: Go's wakes up to 50,000
// times a second, hardly waits, and leaves those who answer less than one in a hundred.
func waitOfWork(all []activation) *int64 {
	var queued []uint64
	for i := range all {
		if a := &all[i]; !a.naps() || a.served >= event.ServesFrom {
			queued = append(queued, a.queued)
		}
	}
	return rank(queued, 99)
}

func span(from, to uint64) uint64 { return max(from, to) - from }

// percent with one decimal; of nothing it is 0.
func percent(part, whole uint64) string {
	if whole == 0 {
		return "0.0"
	}
	return share(float64(part) / float64(whole))
}

// share writes 0..1 as a percentage with one decimal.
func share(of float64) string { return fmt.Sprintf("%.1f", 100*min(1, max(0, of))) }

// rank is the nearest-rank percentile in whole microseconds, nil of nothing.
func rank(values []uint64, percent int) *int64 {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	at := (len(values)*percent + 99) / 100
	micro := int64(values[max(1, at)-1] / 1000)
	return &micro
}

// neverSlept is the CPU time of activations that nobody outside asked for, if at
// nearly any time such a one was under way. By thread it cannot be told: a loop in
// Go wanders from one to the next.
func neverSlept(r event.Recording, all []activation) uint64 {
	var cpu, covered, until uint64
	for i := range all { // by the time of their wakes
		a := &all[i]
		if a.asked {
			continue
		}
		cpu += a.cpu
		covered += span(max(until, a.woken), a.ended)
		until = max(until, a.ended)
	}
	if float64(covered) < wholeWindow*float64(span(r.From, r.To)) {
		return 0
	}
	return cpu
}

// peak is the most CPU time that the outside activations which were woken within
// one period wanted, with those that they caused.
func peak(r event.Recording, all []activation) uint64 {
	period, phase := periodDefault, uint64(0)
	if len(r.Before) > 0 && r.Before[0].Period > 0 {
		period = r.Before[0].Period
		phase = r.Before[0].Expires % period
	}
	wanted := map[uint64]uint64{}
	var most uint64
	for i := range all {
		if a := &all[i]; a.outside {
			at := (a.woken + period - phase) / period
			wanted[at] += a.served
			most = max(most, wanted[at])
		}
	}
	return most
}
