// SPDX-License-Identifier: Apache-2.0

package observer

import "time"

// failure is what is kept of requests to the kernel that fail, of one kind.
type failure struct {
	said  time.Time // when it was last said
	since uint64    // how many there have been since
}

// failureInterval is how often a failure of one kind is said: what fails ten times a
// second need not be said ten times, and what fails a day later is to be said again.
const failureInterval = time.Minute

// kernelError counts a failed request, and logs it where its kind was not logged for a
// while. What is one of a few constants: a failure is kept for each.
func (e *Engine) kernelError(what string, err error) {
	e.stats.KernelErrors++
	f := e.failures[what]
	f.since++
	if now := time.Now(); f.said.IsZero() || now.Sub(f.said) >= failureInterval {
		e.log.Error("cannot "+what, "error", err, "times", f.since)
		f = failure{said: now}
	}
	e.failures[what] = f
}
