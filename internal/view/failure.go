// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// failureFacts tell where a birth died, by whose hand and of what.
func failureFacts(p *page, f *v1alpha1.BirthFailure) {
	if f == nil {
		return
	}
	p.fact("failed at", fmt.Sprintf("%s, by the hand of %s", placeOf(f), f.Actor), bad)
	p.fact("cause", causeOf(f), bad)
	p.fact("file", f.File, plain)
	p.fact("message", f.Message, plain)
}

// placeOf is the step at which a birth died.
func placeOf(f *v1alpha1.BirthFailure) string {
	if f.Container == "" {
		return f.Step
	}
	return f.Step + " of " + f.Container
}

func causeOf(f *v1alpha1.BirthFailure) string { return strings.Join(facts(f), ", ") }

// facts are what the kernel and the API say of a failure in words of their own.
func facts(f *v1alpha1.BirthFailure) []string {
	var out []string
	for _, fact := range []string{f.Reason, f.Errno, f.Signal} {
		if fact != "" {
			out = append(out, fact)
		}
	}
	if f.ExitCode != nil {
		out = append(out, fmt.Sprintf("exit code %d", *f.ExitCode))
	}
	return out
}
