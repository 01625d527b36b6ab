// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// Stolen time stays in what is replayed: the quota pays for it as long as it is stolen, and
// a limit without it would not hold. It is said with the limit, also where two causes of
// the limit's own come before the hypervisor.
func TestStolenTimeIsInTheLimitThatIsProposed(t *testing.T) {
	const charged, less = " CPUs' time, which most kernels charge to whoever ran", ": without it a lower limit may do."
	stolen := bursts(func(b *v1alpha1.Bursts) { b.StolenMicroseconds = 200_000 * b.CPUs * b.WindowMilliseconds / 1_000 })
	few := bursts(func(b *v1alpha1.Bursts) { b.StolenMicroseconds = 90_000 * b.CPUs * b.WindowMilliseconds / 1_000 })
	kept := replay(func(c *v1alpha1.Counterfactual) {
		c.LimitMillicores, c.Curve, c.BurstMicroseconds = 1_000, c.Curve[:5], nil
	})
	for name, c := range map[string]struct {
		whisper       *v1alpha1.KernelWhisper
		first, second v1alpha1.Cause
		charged, less bool
	}{
		"a higher limit":           {recorded(stolen), v1alpha1.CauseBurst, v1alpha1.CauseStolenByHypervisor, true, true},
		"a few percent":            {recorded(few), v1alpha1.CauseBurst, "", false, false},
		"nothing":                  {recorded(), v1alpha1.CauseBurst, "", false, false},
		"two causes of its own":    {recorded(threads, saturated, stolen), v1alpha1.CauseLimitTooLow, v1alpha1.CauseTooManyThreads, true, true},
		"no replay":                {recorded(noReplay, stolen), v1alpha1.CauseBurst, v1alpha1.CauseStolenByHypervisor, true, false},
		"the limit is to stay":     {recorded(kept, stolen), v1alpha1.CauseStolenByHypervisor, "", true, false},
		"it waits, and no limit":   {waiting(stolen), v1alpha1.CauseStolenByHypervisor, "", false, false},
		"stopped nearly always":    {recorded(loop, stolen), v1alpha1.CauseLimitTooLow, v1alpha1.CauseStolenByHypervisor, true, true},
		"the limit of an ancestor": {recorded(stolen, truth(func(k *v1alpha1.KernelTruth) { k.ThrottledAt = v1alpha1.ThrottledAtAncestor })), v1alpha1.CauseAncestorLimit, v1alpha1.CauseStolenByHypervisor, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			without := c.whisper.DeepCopy()
			without.Spec.Bursts.StolenMicroseconds = 0
			s, plain := verdict.Whisper(c.whisper, nil, clock), verdict.Whisper(without, nil, clock)
			if s.Cause != c.first || s.SecondCause != c.second {
				t.Errorf("causes %q and %q, want %q and %q", s.Cause, s.SecondCause, c.first, c.second)
			}
			if planOf(s.Proposal) != planOf(plain.Proposal) && s.Cause != v1alpha1.CauseStolenByHypervisor {
				t.Errorf("proposal %+v, without stolen time %+v", planOf(s.Proposal), planOf(plain.Proposal))
			}
			if strings.Contains(s.Recommendation, charged) != c.charged || strings.Contains(s.Recommendation, less) != c.less {
				t.Errorf("%s", s.Recommendation)
			}
			bounded(t, s.Recommendation)
		})
	}
}
