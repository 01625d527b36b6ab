// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// neighborly is a scene of a victim, and of a neighbor without a limit that computes on
// more threads than there are CPUs. All in millicores.
type neighborly struct {
	act            string
	request, limit int
	neighbor       int // its request
	reason         v1alpha1.Reason
	cause          v1alpha1.Cause
	says           string // of the recommendation
}

var neighborlies = map[string]neighborly{
	"its neighbor": {
		act: "answers", request: 250, limit: 1500, neighbor: 1000,
		reason: v1alpha1.ReasonCPUContention, cause: v1alpha1.CauseNoisyNeighbour, says: "less than its request of 250m, and waited: most, as far as is known, for pod shop/miner",
	},
	"its limit, beside the same neighbor": {
		act: "answers all the time", request: 1000, limit: 200, neighbor: 10,
		reason: v1alpha1.ReasonCPUThrottling, cause: v1alpha1.CauseLimitTooLow, says: "limit of 200m",
	},
}

// TestNoisyNeighbour: whoever waits for a CPU that another pod has is told so, and which
// pod; who waits for a limit of its own beside the same neighbor, which weighs little, is
// not. An emulated CPU is its own neighbor: this runs on the machine only.
func TestNoisyNeighbour(t *testing.T) {
	l, k := ears(t), listen(t)
	for name, c := range neighborlies {
		t.Run(name, func(t *testing.T) {
			victim, path := makeCgroup(t, "victim")
			miner, _ := makeCgroup(t, "miner")
			weigh(t, victim, weightOf(c.request))
			weigh(t, miner, weightOf(c.neighbor))
			limit(t, victim, c.limit*100)
			act(t, "mines", miner, time.Hour, "free").begin(t)
			act(t, c.act, victim, time.Hour, "free").begin(t)
			config := watchConfig()
			config.Neighbor = named(map[uint64]string{inode(t, victim): "victim", inode(t, miner): "miner"})
			config.Request = func(_ cpu.Container, g event.Group) int64 { return cpu.RequestOfShares(g.Shares / heavier) }
			group := mustLocate(t, k, path)
			insistent(t, func() (uint64, string) {
				told, r := leanedIn(t, l, cpu.NewWatch(config), victim, group)
				if len(told) != 1 {
					return r.Lost, fmt.Sprintf("%d whispers of %s", len(told), waits(r))
				}
				return r.Lost, c.differs(t, told[0])
			})
		})
	}
}

// differs says what is told otherwise than the scene is.
func (c neighborly) differs(t *testing.T, w *v1alpha1.KernelWhisper) string {
	t.Helper()
	s, b := verdict.Whisper(w, nil, time.Now()), w.Spec.Bursts
	t.Logf("%s: %s, then %q: %s\n%s", s.Severity, s.Cause, s.SecondCause, s.Insight, s.Recommendation)
	t.Logf("%d activations, %d from outside", b.Activations, b.OutsideActivations)
	switch {
	case w.Spec.Reason != c.reason:
		return fmt.Sprintf("reason %s, want %s", w.Spec.Reason, c.reason)
	case s.Cause != c.cause || c.cause != v1alpha1.CauseNoisyNeighbour && s.SecondCause == v1alpha1.CauseNoisyNeighbour:
		return fmt.Sprintf("causes %s and %q, want %s: %+v", s.Cause, s.SecondCause, c.cause, *b)
	case !strings.Contains(s.Recommendation, c.says):
		return fmt.Sprintf("%q does not say %q", s.Recommendation, c.says)
	case b.RequestMillicores != int64(c.request):
		return fmt.Sprintf("a request of %dm, want %dm", b.RequestMillicores, c.request)
	}
	known := int64(0)
	for _, p := range b.Preemptors {
		known += p.WaitMicroseconds
	}
	if known > b.QueuedMicroseconds || c.cause == v1alpha1.CauseNoisyNeighbour && b.Preemptors[0].WaitMicroseconds < known/2 {
		return fmt.Sprintf("of a wait of %d µs, %d of them known, want the most for the neighbor: %+v", b.QueuedMicroseconds, known, b.Preemptors)
	}
	return ""
}
