// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the bound of the sentences in both statuses, in characters.
const maxText = 512

// fraction gives numerator/denominator with the given number of decimals, and
// "" where the denominator is not positive or the numerator negative. Rationals
// keep it exact: counters may be as large as an int64 goes.
func fraction(numerator, denominator *big.Int, decimals int) string {
	if denominator.Sign() <= 0 || numerator.Sign() < 0 {
		return ""
	}
	return new(big.Rat).SetFrac(numerator, denominator).FloatString(decimals)
}

// percent is 100 × part / whole with one decimal, or "" where it is undefined.
func percent(part, whole int64) string {
	return fraction(new(big.Int).Mul(big.NewInt(part), big.NewInt(100)), big.NewInt(whole), 1)
}

// ratio is a/b with the given number of decimals, or "" where it is undefined.
func ratio(a, b int64, decimals int) string {
	return fraction(big.NewInt(a), big.NewInt(b), decimals)
}

// share is part/whole for comparisons with a threshold; 0 where it is undefined.
func share(part, whole int64) float64 {
	if whole <= 0 || part < 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// millicores writes CPU as Kubernetes does in resource limits.
func millicores(n int64) string {
	return strconv.FormatInt(n, 10) + "m"
}

// duration writes microseconds for people with about three digits: 850µs,
// 512ms, 1.34s, 2m05s, 1h02m.
func duration(us int64) string {
	const ms, s, m, h = 1_000, 1_000_000, 60_000_000, 3_600_000_000
	us = max(us, 0)
	switch {
	case us < ms:
		return fmt.Sprintf("%dµs", us)
	case us < s-ms/2:
		return fmt.Sprintf("%dms", rounded(us, ms))
	case us < 10*s-s/200:
		return fmt.Sprintf("%.2fs", float64(us)/s)
	case us < m-s/20:
		return fmt.Sprintf("%.1fs", float64(us)/s)
	case us < h-s/2:
		seconds := rounded(us, s)
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	default:
		minutes := rounded(us, m)
		return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
	}
}

// rounded divides, half up, without the overflow of adding first.
func rounded(n, unit int64) int64 {
	q := n / unit
	if n%unit >= unit-unit/2 {
		q++
	}
	return q
}

// exactDuration writes a configured duration (quota, period) without rounding
// it: 10ms, 12.5ms, 1s.
func exactDuration(us int64) string {
	switch {
	case us >= 1_000_000 && us%1_000_000 == 0:
		return fmt.Sprintf("%ds", us/1_000_000)
	case us >= 1_000:
		return strings.TrimSuffix(strings.TrimRight(fraction(big.NewInt(us), big.NewInt(1_000), 3), "0"), ".") + "ms"
	default:
		return fmt.Sprintf("%dµs", us)
	}
}

// count writes an integer with a comma between groups of three digits.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return sign + out.String()
}

// plain makes text from a spec fit for one line of a terminal. Names come from
// whoever may write the resource; a control character in one would reach the
// reader's terminal through ours.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// clip cuts a sentence to the bound of its field.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText-1]) + "…"
}

// clamp brings a rational into an int64.
func clamp(r *big.Rat) int64 {
	half := big.NewRat(1, 2)
	sum := new(big.Rat).Add(r, half)
	q := new(big.Int).Div(sum.Num(), sum.Denom())
	if !q.IsInt64() {
		return math.MaxInt64
	}
	return q.Int64()
}

// addSaturated adds two non-negative counts and stays at the largest int64.
func addSaturated(a, b int64) int64 {
	a, b = max(a, 0), max(b, 0)
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// milliseconds gives microseconds and stays at the largest int64.
func milliseconds(ms int64) int64 {
	if ms > math.MaxInt64/1_000 {
		return math.MaxInt64
	}
	return ms * 1_000
}
