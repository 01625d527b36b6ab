// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// delays are what the scheduler says of the threads of a pod's containers over and over:
// for how long they were ready and not on a CPU (/proc/TID/schedstat). Of a thread that
// waits right now it says so only once the wait is over.
type delays struct {
	mu       sync.Mutex
	threads  map[string]uint64
	readings []delay
}

// delay is the sum over threads, read some time between from and to.
type delay struct {
	from, to time.Time
	sum      uint64 // ns
}

func watchDelays(t *testing.T, node *localNode, uid string) *delays {
	t.Helper()
	if _, err := queuedBy("/proc/self/schedstat"); err != nil {
		t.Skipf("this kernel does not account how long a thread waits for a CPU (CONFIG_SCHED_INFO), so that nothing stands against the whisper; TestQueuedAgainstSchedstat of make test-kernels holds the same figure where it does: %v", err)
	}
	d := &delays{threads: map[string]uint64{}}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		pod := ""
		for tick := time.NewTicker(samplingInterval); ; {
			if pod == "" {
				pod = node.podCgroup(uid)
			}
			if pod != "" {
				d.read(filepath.Join(node.cpu, pod))
			}
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	return d
}

// read takes a reading. What a thread has waited stays in the sum when it has ended.
func (d *delays) read(pod string) {
	r := delay{from: time.Now()}
	procs, _ := filepath.Glob(filepath.Join(pod, "*", "cgroup.procs"))
	now := map[string]uint64{}
	for _, file := range procs {
		raw, _ := os.ReadFile(file)
		for pid := range strings.FieldsSeq(string(raw)) {
			stats, _ := filepath.Glob(filepath.Join("/proc", pid, "task", "*", "schedstat"))
			for _, stat := range stats {
				if queued, err := queuedBy(stat); err == nil {
					now[stat] = queued
				}
			}
		}
	}
	r.to = time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for thread, queued := range now {
		d.threads[thread] = queued
	}
	for _, queued := range d.threads {
		r.sum += queued
	}
	d.readings = append(d.readings, r)
}

// queuedBy is the second field of schedstat, in ns.
func queuedBy(file string) (uint64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var ran, queued, turns uint64
	if _, err := fmt.Sscan(string(raw), &ran, &queued, &turns); err != nil {
		return 0, fmt.Errorf("understand %s: %w", file, err)
	}
	return queued, nil
}

// growth in µs between two moments, by the readings around them. What waits at either
// moment may be counted on the other side of it.
func (d *delays) growth(t *testing.T, from, to time.Time) span {
	t.Helper()
	a, b := d.around(t, from)
	y, z := d.around(t, to)
	return span{(float64(y.sum) - float64(min(y.sum, b.sum))) / 1000, (float64(z.sum) - float64(a.sum)) / 1000}
}

// around are the readings before and after a moment.
func (d *delays) around(t *testing.T, moment time.Time) (before, after delay) {
	t.Helper()
	eventually(t, "a reading of schedstat after "+moment.Format(time.TimeOnly), func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		before, after = delay{}, delay{}
		for _, r := range d.readings {
			if r.to.Before(moment.Add(-slack)) {
				before = r
			}
			if r.from.After(moment.Add(slack)) {
				after = r
				return true
			}
		}
		return false
	})
	return before, after
}
