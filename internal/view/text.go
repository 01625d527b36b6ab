// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// runeCells is how many columns of a terminal a character takes.
func runeCells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case width.LookupRune(r).Kind() == width.EastAsianWide, width.LookupRune(r).Kind() == width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cells is how many columns a text takes.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += runeCells(r)
	}
	return n
}

// fit cuts a text to at most so many columns; an ellipsis says so.
func fit(s string, columns int) string {
	if cells(s) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	n := 0
	for i, r := range s {
		if n += runeCells(r); n > columns-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// wrap breaks a text into lines of at most so many columns; 0 means one line.
func wrap(s string, columns int) []string { return wrapWords(words(s), " ", columns) }

// words of a text; a percent sign stays with its number.
func words(s string) []string {
	var out []string
	for _, w := range strings.Fields(s) {
		if last := len(out) - 1; last >= 0 && strings.HasPrefix(w, "%") {
			out[last] += " " + w
			continue
		}
		out = append(out, w)
	}
	return out
}

// wrapWords joins words to lines of at most so many columns, 0 for no limit. A
// word that is too long is broken.
func wrapWords(words []string, separator string, columns int) []string {
	if columns <= 0 {
		return []string{strings.Join(words, separator)}
	}
	var lines []string
	line := ""
	for i, word := range words {
		if i < len(words)-1 {
			word += strings.TrimRight(separator, " ")
		}
		if line != "" && cells(line)+1+cells(word) <= columns {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for cells(word) > columns {
			head := headOf(word, columns)
			lines, word = append(lines, head), word[len(head):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// headOf is the beginning of a word that fits; one character at least.
func headOf(word string, columns int) string {
	n := 0
	for i, r := range word {
		if n += runeCells(r); n > columns && i > 0 {
			return word[:i]
		}
	}
	return word
}

// span writes a stretch of time in microseconds with three digits that count.
func span(us int64) string {
	switch {
	case us < 0:
		return "-" + span(-us)
	case us == 0:
		return "0"
	case us < 1000:
		return fmt.Sprintf("%dµs", us)
	case us < 9_995:
		return fmt.Sprintf("%.2fms", float64(us)/1e3)
	case us < 99_950:
		return fmt.Sprintf("%.1fms", float64(us)/1e3)
	case us < 999_500:
		return fmt.Sprintf("%.0fms", float64(us)/1e3)
	case us < 9_995_000:
		return fmt.Sprintf("%.2fs", float64(us)/1e6)
	case us < 60_000_000:
		return fmt.Sprintf("%.1fs", float64(us)/1e6)
	}
	seconds := (us + 500_000) / 1_000_000
	if seconds < 3600 {
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%dh%02dm", seconds/3600, seconds%3600/60)
}

// milliseconds writes a stretch of time to the microsecond, for columns that sum up.
func milliseconds(us int64) string {
	return fmt.Sprintf("%s.%03dms", Number(us/1000), us%1000)
}

// percent is a share with one decimal.
func percent(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", float64(part)*100/float64(whole))
}

// plural writes a count with its noun.
func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Number(n) + " " + noun
}
