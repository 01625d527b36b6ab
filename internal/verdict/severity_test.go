// SPDX-License-Identifier: Apache-2.0

package verdict_test

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

func TestSeverity(t *testing.T) {
	const critical, warning, info = v1alpha1.SeverityCritical, v1alpha1.SeverityWarning, v1alpha1.SeverityInfo
	tests := []struct {
		name               string
		throttled, periods int64
		usage, demand      int64
		stallP99           *int64
		want               v1alpha1.Severity
	}{
		{"every second period, half of the time held back", 50, 100, 100, 200, nil, critical},
		{"every second period, less than half held back", 50, 100, 100, 199, nil, warning},
		{"every second period, less than a tenth held back", 50, 100, 100, 111, nil, info},
		{"less than every second period, most of the time held back", 49, 100, 100, 900, nil, warning},
		{"one period in ten", 10, 100, 100, 900, nil, warning},
		{"less than one period in ten", 9, 100, 100, 900, nil, info},
		{"demand unknown: periods alone", 50, 100, 100, 0, nil, critical},
		{"demand below usage is no measurement: periods alone", 50, 100, 100, 40, nil, critical},
		{"no period", 0, 0, 0, 0, nil, info},
		{"a stall of a whole period outweighs few throttled periods", 1, 100, 100, 101, ptr[int64](100_000), critical},
		{"a stall below a period", 99, 100, 100, 900, ptr[int64](99_999), warning},
		{"a stall below a tenth of a period", 99, 100, 100, 900, ptr[int64](9_999), info},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := whisper(truth(func(k *v1alpha1.KernelTruth) {
				k.ThrottledPeriods, k.Periods = tt.throttled, tt.periods
				k.UsageMillicores, k.DemandMillicores, k.StallP99Microseconds = tt.usage, tt.demand, tt.stallP99
			}))
			if got := verdict.Whisper(w, nil, clock).Severity; got != tt.want {
				t.Errorf("severity = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestStallIsNamedInTheInsight(t *testing.T) {
	w := whisper(truth(func(k *v1alpha1.KernelTruth) { k.StallP99Microseconds = ptr[int64](104_500) }))
	got := verdict.Whisper(w, nil, clock).Insight
	if want := "; one activation in a hundred stood still for 105ms or longer."; !strings.HasSuffix(got, want) {
		t.Errorf("insight %q does not end in %q", got, want)
	}
}
