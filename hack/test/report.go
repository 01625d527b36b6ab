// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"
)

// result counts tests, subtests included. A stage without Go tests counts as one.
type result struct {
	passed, failed, skipped int
	failures                []string // full names of the tests that failed
	final                   bool     // something beside a test failed, or a test did not end or run: no second try
	passes                  []string // full names of the tests that passed
	skips                   []string // full names, each with its reason
	unstable                []string // full names of the tests that failed and then passed alone
}

// add counts another run of the same stage.
func (r *result) add(other result) {
	r.passed += other.passed
	r.failed += other.failed
	r.skipped += other.skipped
	r.final = r.final || other.final
	r.failures = append(r.failures, other.failures...)
	r.passes = append(r.passes, other.passes...)
	r.skips = append(r.skips, other.skips...)
	r.unstable = append(r.unstable, other.unstable...)
}

// report is what became of one stage.
type report struct {
	stage  string
	notRun string // why the stage could not run; empty if it did
	err    error
	result result
	took   time.Duration
}

func (r report) verdict() string {
	switch {
	case r.failed():
		return "FAILED"
	case r.notRun != "":
		return "NOT RUN"
	case len(r.result.unstable) > 0:
		return "passed, unstable"
	case r.result.skipped > 0:
		return "passed, with skips"
	default:
		return "passed"
	}
}

func (r report) failed() bool { return r.err != nil || r.result.failed > 0 }

// summarize writes the closing summary and tells whether nothing failed. Its last
// line is for programs.
func summarize(to io.Writer, reports []report) bool {
	var total result
	good := true
	_, _ = fmt.Fprintf(to, "\n%-16s %-19s %8s  %s\n", "STAGE", "RESULT", "TIME", "TESTS")
	for _, r := range reports {
		_, _ = fmt.Fprintf(to, "%-16s %-19s %7.1fs  %d passed, %d failed, %d skipped\n", r.stage, r.verdict(), r.took.Seconds(),
			r.result.passed, r.result.failed, r.result.skipped)
		total.passed += r.result.passed
		total.failed += r.result.failed
		total.skipped += r.result.skipped
		if r.failed() {
			good = false
			total.failed += boolToInt(r.result.failed == 0) // an error without a failed test still is a failure
		}
	}
	explain(to, reports)
	_, _ = fmt.Fprintf(to, "tests: %d passed, %d failed, %d skipped\n", total.passed, total.failed, total.skipped)
	return good
}

func explain(to io.Writer, reports []report) {
	for _, r := range reports {
		if r.notRun != "" {
			_, _ = fmt.Fprintf(to, "\n!!! NOT RUN: %s: %s\n", r.stage, r.notRun)
		}
		for _, skip := range r.result.skips {
			_, _ = fmt.Fprintf(to, "\n!!! SKIPPED: %s: %s\n", r.stage, skip)
		}
		for _, name := range r.result.unstable {
			_, _ = fmt.Fprintf(to, "\n!!! UNSTABLE: %s: %s: failed, and passed when it was run again alone\n", r.stage, name)
		}
		for _, failure := range r.result.failures {
			_, _ = fmt.Fprintf(to, "\n!!! FAILED: %s: %s\n", r.stage, failure)
		}
		if r.err != nil {
			_, _ = fmt.Fprintf(to, "\n!!! FAILED: %s: %v\n", r.stage, r.err)
		}
	}
	_, _ = fmt.Fprintln(to)
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
