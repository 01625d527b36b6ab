// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// budgetMax is far more than the observer can spend (cores).
const budgetMax = 64

// ParseBudget reads a share of one core: a percentage ("1%", "0.5%") or millicores
// ("10m"). "0" is no budget.
func ParseBudget(s string) (float64, error) {
	number, unit := s, 0.0
	switch {
	case strings.HasSuffix(s, "%"):
		number, unit = s[:len(s)-1], 0.01
	case strings.HasSuffix(s, "m"):
		number, unit = s[:len(s)-1], 0.001
	}
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(v) || v < 0 || v*unit > budgetMax:
		return 0, fmt.Errorf("%q is no share of a core: use a percentage such as 1%% or 0.5%%, millicores such as 10m, or 0 for no budget", s)
	case unit == 0 && v != 0:
		return 0, fmt.Errorf("%q has no unit: use a percentage such as 1%%, millicores such as 10m, or 0 for no budget", s)
	}
	return v * unit, nil
}

// FormatBudget is how a share of one core is written: as a percentage.
func FormatBudget(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e5)/1e3, 'f', -1, 64) + "%"
}
