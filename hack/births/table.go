// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// row is one line of a table: what it is, and its value in one birth. It is
// false where the birth has none.
type row struct {
	name string
	of   func(*v1alpha1.PodBirthCertificate) (int64, bool)
}

// render writes the three tables.
func render(machine string, images []string, born map[string][]*v1alpha1.PodBirthCertificate) string {
	var b strings.Builder
	n := len(born[images[0]])
	whole := 0
	for _, all := range born {
		for _, c := range all {
			if c.Spec.Complete {
				whole++
			}
		}
	}
	fmt.Fprintf(&b, "Median of %d births of each image, in turn, and from the least to the most. %s. %d of the %d certificates are complete.\n\n",
		n, machine, whole, n*len(images))
	table(&b, "milliseconds", images, born, phaseRows(), milliseconds)
	fmt.Fprintln(&b)
	table(&b, "of it waiting, milliseconds", images, born, waitRows(), milliseconds)
	fmt.Fprintln(&b)
	table(&b, "counts", images, born, countRows(), plain)
	return b.String()
}

func table(b *strings.Builder, title string, images []string, born map[string][]*v1alpha1.PodBirthCertificate, rows []row, format func(int64) string) {
	fmt.Fprintf(b, "| %s | %s |\n|---|%s\n", title, strings.Join(images, " | "), strings.Repeat("---|", len(images)))
	for _, r := range rows {
		cells := make([]string, 0, len(images))
		some := false
		for _, image := range images {
			cell := spread(born[image], r.of, format)
			some = some || cell != ""
			cells = append(cells, cell)
		}
		if some {
			fmt.Fprintf(b, "| %s | %s |\n", r.name, strings.Join(cells, " | "))
		}
	}
}

// spread is the median, and the least and the most where they differ.
func spread(all []*v1alpha1.PodBirthCertificate, of func(*v1alpha1.PodBirthCertificate) (int64, bool), format func(int64) string) string {
	var values []int64
	for _, c := range all {
		if v, ok := of(c); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return ""
	}
	slices.Sort(values)
	median := format(values[len(values)/2])
	least, most := format(values[0]), format(values[len(values)-1])
	if least == most {
		return median
	}
	return fmt.Sprintf("%s (%s–%s)", median, least, most)
}

func milliseconds(microseconds int64) string {
	if microseconds < 10_000 {
		return fmt.Sprintf("%.1f", float64(microseconds)/1000)
	}
	return fmt.Sprintf("%.0f", float64(microseconds)/1000)
}

func plain(v int64) string { return fmt.Sprint(v) }
