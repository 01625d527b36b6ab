// SPDX-License-Identifier: Apache-2.0

package doctor

// Exit codes of both doctors beyond 1 (could not run, or broken) and 2 (wrong
// use). A script that is content with less than everything says so:
//
//	kernel-observer doctor || test $? -eq 3
const (
	ExitDegraded = 3
	ExitFloor    = 4
	ExitDeaf     = 5
)

// ExitCode of a verdict.
func (v Verdict) ExitCode() int {
	switch v {
	case Full:
		return 0
	case Degraded:
		return ExitDegraded
	case Floor:
		return ExitFloor
	}
	return ExitDeaf
}
