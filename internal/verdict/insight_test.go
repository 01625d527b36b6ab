// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// Once the limit has changed the counters are those of the new one, and the recording may
// still be that of the old one: a sentence with both says so.
func TestInsightKeepsLimitsApart(t *testing.T) {
	changed := truth(func(k *v1alpha1.KernelTruth) { k.QuotaMicroseconds = 80_000 })
	unlimited := func(w *v1alpha1.KernelWhisper) {
		noReplay(w)
		w.Spec.Change = &v1alpha1.ResourceChange{Time: microTime(clock), FromMillicores: 0, ToMillicores: 800}
	}
	const stalls = "40 of 200 activations"
	for _, tt := range []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		want    string
	}{
		{"of one limit", recorded(), "The CPU limit of 500m stopped container app in 27 of 90 active periods (30.0 %); " + stalls},
		{"of two", recorded(changed), "The CPU limit of 800m stopped container app in 27 of 90 active periods (30.0 %); before that, at a limit of 500m, " + stalls},
		{"of none before", recorded(changed, unlimited), "(30.0 %); before that, without a limit, " + stalls},
		{"nothing recorded", recorded(changed, func(w *v1alpha1.KernelWhisper) { w.Spec.Bursts = nil }), "(30.0 %); one activation in a hundred stood still"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := verdict.Whisper(tt.whisper, nil, clock).Insight
			// The metric's part depends on what was to be had.
			if i, j := strings.Index(got, ", while"), strings.Index(got, "; "); i >= 0 && i < j {
				got = got[:i] + got[j:]
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("%q has not %q", got, tt.want)
			}
		})
	}
}
