// SPDX-License-Identifier: Apache-2.0

//go:build bare

package bpf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// TestThrottledWhileTimeIsStolen: a service that its limit stops. While its hypervisor gives
// half of a processor to somebody else the kernel charges it, and its quota, for the time
// when it stood still. So the limit that is proposed has that in it, and holds, and it is
// said that a lower one may do without. Where nothing is taken the same service has a limit
// of its own only, which has to be lower to stop it.
func TestThrottledWhileTimeIsStolen(t *testing.T) {
	l, k := ears(t), listen(t)
	for name, c := range map[string]struct {
		alone bool
		limit int // millicores
	}{
		"two CPUs on one":    {false, 350},
		"one CPU for itself": {true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			victim, path := makeCgroup(t, "victim")
			if c.alone {
				withoutSecondCPU(t)
			} else {
				miner, _ := makeCgroup(t, "miner")
				act(t, "keeps the second CPU", miner, time.Hour, "free").begin(t)
			}
			act(t, "works by the clock", victim, time.Hour, "free").begin(t)
			group := mustLocate(t, k, path)
			insistent(t, func() (uint64, string) {
				limit(t, victim, 200_000) // more than it can use
				if wrong := chargedDiffers(t, l, victim, c.alone); wrong != "" {
					return 0, wrong
				}
				limit(t, victim, c.limit*100)
				told, r := leanedIn(t, l, cpu.NewWatch(watchConfig()), victim, group)
				if len(told) != 1 {
					return r.Lost, fmt.Sprintf("%d whispers of %s", len(told), waits(r))
				}
				s := verdict.Whisper(told[0], nil, time.Now())
				if wrong := stolenFromQuota(t, told[0], &s, c.alone); wrong != "" || c.alone {
					return r.Lost, wrong
				}
				proposed := *s.Proposal.LimitMillicores
				limit(t, victim, int(proposed)*100)
				share := throttledFor(group, 5*time.Second)
				t.Logf("with %dm %.2f of its periods were throttled", proposed, share)
				if share > 0.15 {
					return r.Lost, fmt.Sprintf("the limit of %dm that is proposed does not hold", proposed)
				}
				return r.Lost, ""
			})
		})
	}
}

// throttledFor is the share of a cgroup's active periods that were throttled in a while.
func throttledFor(group func() event.Group, while time.Duration) float64 {
	time.Sleep(time.Second) // what a change of the limit left behind
	before := group()
	time.Sleep(while)
	after := group()
	return float64(after.Throttled-before.Throttled) / float64(max(1, after.Periods-before.Periods))
}

// stolenFromQuota says what is told otherwise than the hypervisor did.
func stolenFromQuota(t *testing.T, w *v1alpha1.KernelWhisper, s *v1alpha1.KernelWhisperStatus, alone bool) string {
	t.Helper()
	t.Logf("%s: %s, then %q: %s\n%s", s.Severity, s.Cause, s.SecondCause, s.Insight, s.Recommendation)
	t.Logf("%d µs stolen in %d ms", w.Spec.Bursts.StolenMicroseconds, w.Spec.Bursts.WindowMilliseconds)
	stolen := s.SecondCause == v1alpha1.CauseStolenByHypervisor
	says := strings.Contains(s.Recommendation, "which most kernels charge to whoever ran: without it a lower limit may do")
	switch {
	case w.Spec.Reason != v1alpha1.ReasonCPUThrottling:
		return fmt.Sprintf("reason %s", w.Spec.Reason)
	case s.Cause == "" || s.Cause == v1alpha1.CauseStolenByHypervisor || stolen == alone || says == alone:
		return fmt.Sprintf("causes %q and %q: %+v", s.Cause, s.SecondCause, *w.Spec.Bursts)
	case s.Proposal == nil || s.Proposal.LimitMillicores == nil:
		return "no limit is proposed"
	}
	return ""
}

// chargedDiffers says what the kernel charges for the work otherwise than it should: more
// than it takes where time is stolen.
func chargedDiffers(t *testing.T, l *bursts.Listener, dir string, alone bool) string {
	t.Helper()
	eavesdrop(t, l, dir)
	time.Sleep(3 * time.Second)
	charged := chargedForWork(stopListening(t, l, dir))
	t.Logf("charged for %s of work: %s", ownWork, charged)
	if alone == (charged > ownWork*5/4) {
		return fmt.Sprintf("it was charged %s for %s of work", charged, ownWork)
	}
	return ""
}

// chargedForWork is the CPU time that it took in the middle of all times.
func chargedForWork(r event.Recording) time.Duration {
	var all []uint64
	for _, b := range r.Bursts {
		if b.CPU > uint64(ownWork)/2 {
			all = append(all, b.CPU)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return time.Duration(all[len(all)/2])
}
