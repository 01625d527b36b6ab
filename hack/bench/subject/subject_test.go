// SPDX-License-Identifier: Apache-2.0

package subject

import "testing"

func TestSum(t *testing.T) {
	const text = "# HELP lost_total Lost.\nlost_total{what=\"events\"} 3\nlost_total{what=\"members\"} 4\nlost_total_more 50\narmed 1\n"
	for name, want := range map[string]float64{"lost_total": 7, `lost_total{what="members"}`: 4, "armed": 1} {
		if got, ok := Sum(text, name); !ok || got != want {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
	if _, ok := Sum(text, "absent"); ok {
		t.Error("what is absent has a value")
	}
}
