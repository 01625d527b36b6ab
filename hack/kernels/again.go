// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"fmt"
	"io"
	"slices"
)

// againMax is how many tests may have a second try: more than that is no accident
// of an emulated processor.
const againMax = 8

// again names the tests that have a second try: those that failed, and those that
// did not come to an end because the machine died; none if they are too many.
func (o *outcome) again() []string {
	var names []string
	for _, e := range o.events {
		if e.Action == "fail" && e.Test != "" && !slices.Contains(names, e.top()) {
			names = append(names, e.top())
		}
	}
	if len(names) > againMax && o.whole {
		return nil
	}
	return names
}

// show writes what the tests said on their first try, and what the machine did.
func (o *outcome) show(to io.Writer, names []string) {
	for _, e := range o.events {
		if e.Action == "output" && (e.Test == "" || slices.Contains(names, e.top())) {
			_, _ = fmt.Fprint(to, e.Output)
		}
	}
}

// replace puts what the tests said on their second try into the place of what they
// said on their first. It returns the full names of those that now passed.
func (o *outcome) replace(second outcome, names []string) (unstable []string) {
	ofNames := func(e event) bool { return slices.Contains(names, e.top()) }
	failed := map[string]bool{}
	for _, e := range o.events {
		failed[e.Test] = failed[e.Test] || e.Action == "fail"
	}
	o.events = slices.DeleteFunc(o.events, ofNames)
	for _, e := range second.events {
		if !ofNames(e) {
			continue
		}
		o.events = append(o.events, e)
		if e.Action == "pass" && failed[e.Test] {
			unstable = append(unstable, e.Package+" "+e.Test)
		}
	}
	// The second boot speaks for the machine: all else had passed in the first.
	o.verdict.Action = second.verdict.Action
	return unstable
}
