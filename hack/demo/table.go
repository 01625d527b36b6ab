// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

func title(s string) { fmt.Printf("\n%s\n%s\n", s, strings.Repeat("─", len([]rune(s)))) }

// table is a list of checks.
type table struct {
	w      *tabwriter.Writer
	failed bool
}

func newTable(columns ...string) *table {
	t := &table{w: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)}
	_, _ = fmt.Fprintln(t.w, strings.Join(columns, "\t")+"\t")
	return t
}

func (t *table) same(name string, ours, theirs int64, source string) {
	t.row(name, fmt.Sprint(ours), fmt.Sprint(theirs), source, ours == theirs)
}

// within holds a figure against the least and the most that it can be.
func (t *table) within(name string, ours, least, most int64, source string) {
	theirs := fmt.Sprint(least)
	if most != least {
		theirs = fmt.Sprintf("%d to %d", least, most)
	}
	t.row(name, fmt.Sprint(ours), theirs, source, least <= ours && ours <= most)
}

func (t *table) row(name, ours, theirs, source string, ok bool) {
	mark := "ok"
	if !ok {
		mark, t.failed = "DIFFERS", true
	}
	_, _ = fmt.Fprintf(t.w, "%s\t%s\t%s\t%s\t%s\n", name, ours, theirs, source, mark)
}

func (t *table) print() error {
	if err := t.w.Flush(); err != nil {
		return err
	}
	if t.failed {
		return errors.New("what was heard differs from what the kernel's files say")
	}
	return nil
}
