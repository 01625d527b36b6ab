// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"slices"
	"strings"
)

// Names that Without knows beside hooks, ways and rungs.
const (
	// WithoutBTF takes the kernel's own type information away; a file may stand in.
	WithoutBTF = "btf"
	// WithoutBPF takes all of BPF away.
	WithoutBPF = "bpf"
)

// Without are rungs that are taken away, as if this kernel did not have them. The
// zero value takes nothing.
type Without struct {
	names []string
}

// ParseWithout understands the names of hooks (all their ways of BPF), of ways,
// "WAY/HOOK" for one rung, "btf" and "bpf".
func ParseWithout(names []string) (Without, error) {
	var w Without
	for _, name := range names {
		if !known(name) {
			return Without{}, fmt.Errorf("%q is no hook, way or rung: use any of %s, WAY/HOOK, %s, %s",
				name, strings.Join(vocabulary(), ", "), WithoutBTF, WithoutBPF)
		}
		if !slices.Contains(w.names, name) {
			w.names = append(w.names, name)
		}
	}
	return w, nil
}

// String is the names, as they are written on a command line.
func (w Without) String() string { return strings.Join(w.names, ",") }

// Has is true if the name itself was given.
func (w Without) Has(name string) bool { return slices.Contains(w.names, name) }

// takes is the name that takes the rung away, if any does. Without BTF, or a file that
// stands in for it, no program of BPF finds its way about the kernel. A kernel without test
// runs has none of filters either: of the rung alone it is "test_run/bandwidth".
func (w Without) takes(h Hook, way Way, btfFile bool) string {
	for _, name := range w.names {
		switch {
		case name == string(way), name == string(way)+"/"+string(h), name == string(TestRun) && way == Filter:
			return name
		case way.BPF() && (name == string(h) || name == WithoutBPF || name == WithoutBTF && !btfFile):
			return name
		}
	}
	return ""
}

func known(name string) bool {
	if name == WithoutBTF || name == WithoutBPF || slices.Contains(vocabulary(), name) {
		return true
	}
	way, hook, ok := strings.Cut(name, "/")
	if !ok {
		return false
	}
	for _, l := range Ladders() {
		for _, r := range l.Rungs {
			if string(l.Hook) == hook && string(r.Way) == way && r.Way != Off {
				return true
			}
		}
	}
	return false
}

// vocabulary is the names of all hooks, then those of all ways.
func vocabulary() []string {
	var hooks, ways []string
	for _, l := range Ladders() {
		hooks = append(hooks, string(l.Hook))
		for _, r := range l.Rungs {
			if way := string(r.Way); r.Way != Off && !slices.Contains(ways, way) {
				ways = append(ways, way)
			}
		}
	}
	return append(hooks, ways...)
}
