// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// leisure is the share of this machine's CPU time that has to be left over for a
// workload to be held back by its limit and by nothing else.
const leisure = 0.1

// idleness is what this machine's CPUs had left over, by the kernel's account.
type idleness struct {
	mu       sync.Mutex
	readings []idleReading
}

// idleReading is in ticks, of all CPUs since the machine began. What a hypervisor took
// away is in all, and is not idle.
type idleReading struct {
	at                time.Time
	idle, stolen, all uint64
}

func watchIdleness(t *testing.T) *idleness {
	t.Helper()
	i := &idleness{}
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for tick := time.NewTicker(samplingInterval); ; {
			if raw, err := os.ReadFile("/proc/stat"); err == nil {
				i.add(time.Now(), string(raw))
			}
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	return i
}

// add takes the first line of /proc/stat: "cpu user nice system idle iowait irq softirq
// steal …"; what follows is in user and nice already.
func (i *idleness) add(at time.Time, stat string) {
	first, _, _ := strings.Cut(stat, "\n")
	r := idleReading{at: at}
	for n, field := range strings.Fields(first) {
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil || n > 8 {
			continue
		}
		r.all += ticks
		switch n {
		case 4, 5:
			r.idle += ticks
		case 8:
			r.stolen = ticks
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.readings = append(i.readings, r)
}

// share of the time that the CPUs were idle, between the readings around two moments.
func (i *idleness) share(from, to time.Time) float64 {
	a, z := i.around(from, to)
	if z.all <= a.all {
		return 0
	}
	return float64(z.idle-a.idle) / float64(z.all-a.all)
}

// stolen is the share that a hypervisor took.
func (i *idleness) stolen(from, to time.Time) float64 {
	a, z := i.around(from, to)
	if z.all <= a.all {
		return 0
	}
	return float64(z.stolen-a.stolen) / float64(z.all-a.all)
}

func (i *idleness) around(from, to time.Time) (a, z idleReading) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.readings {
		if a.at.IsZero() || !r.at.After(from) {
			a = r
		}
		if z = r; r.at.After(to) {
			break
		}
	}
	return a, z
}

// recordedAtLeisure waits for a recording during which the CPUs were not short. Where
// others keep them busy all the time, what a limit does cannot be told from what they do.
func (s *scene) recordedAtLeisure(p *corev1.Pod, idle *idleness) *v1alpha1.KernelWhisper {
	s.t.Helper()
	deadline := time.Now().Add(2 * patience)
	for w := recorded(s, p); ; {
		from, to := recording(w)
		share := idle.share(from, to)
		if share >= leisure {
			return w
		}
		short := fmt.Sprintf("while %s was recorded at %s, %.0f %% of the CPUs' time was left over", p.Name, to.Format(time.TimeOnly), 100*share)
		s.t.Logf("%s: cause %s, then %q; the next recording is taken", short, w.Status.Cause, w.Status.SecondCause)
		next := s.whispers.first(s.t, time.Until(deadline), func(seen sighting[*v1alpha1.KernelWhisper]) bool {
			o := seen.object
			return o.Spec.PodRef.UID == string(p.UID) && throttled(o) && o.Spec.Bursts != nil && o.Spec.Counterfactual != nil && judged(o) &&
				o.Spec.Bursts.Time.After(to)
		})
		if next == nil {
			s.t.Skipf("others kept the CPUs busy: %s; the verdict on each cause is held by TestCauses of internal/verdict meanwhile, and make test on a quieter machine runs this", short)
		}
		w = next.object
	}
}

// TestIdleness needs no cluster.
func TestIdleness(t *testing.T) {
	i := &idleness{}
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	i.add(at(1), "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4")
	i.add(at(2), "cpu  110 0 110 760 110 0 0 10 50 0\n")
	i.add(at(3), "cpu  210 0 110 760 110 0 0 10 50 0\n")
	for _, c := range []struct {
		from, to     int64
		want, stolen float64
	}{{1, 1, 0.7, 0.1}, {2, 2, 0, 0}, {0, 2, 0.35, 0.05}} {
		if got, stolen := i.share(at(c.from), at(c.to)), i.stolen(at(c.from), at(c.to)); got != c.want || stolen != c.stolen {
			t.Errorf("from %d to %d: %.2f and %.2f stolen, want %.2f and %.2f", c.from, c.to, got, stolen, c.want, c.stolen)
		}
	}
}
