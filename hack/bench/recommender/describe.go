// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
)

// describe says in words what a shape is.
func (s shape) describe() string {
	when := fmt.Sprintf("every %s", s.Every)
	if s.Random {
		when += " on average, at random"
	}
	work := fmt.Sprintf("%s of CPU", s.CPU)
	if s.Exponential {
		work += " on average, exponentially distributed"
	}
	if s.LongShare > 0 {
		work += fmt.Sprintf(" (%.0f %% of them %s)", 100*s.LongShare, s.Long)
	}
	requests := "a request"
	if s.Together > 1 {
		requests = fmt.Sprintf("%d requests at once", s.Together)
	}
	switch s.Kind {
	case kindPoisson:
		return fmt.Sprintf("%d threads share the requests from outside: %s %s, %s", s.Threads, requests, when, work)
	case kindPool:
		return fmt.Sprintf("a dispatcher hands requests from outside to %d threads: %s %s, %s", s.Threads, requests, when, work)
	case kindTimers:
		return fmt.Sprintf("%d threads whose timers fire together %s, %s each", s.Threads, when, work)
	case kindClosed:
		by := "socket pairs"
		if s.TCP {
			by = "loopback TCP"
		}
		return fmt.Sprintf("%d clients by %s, each asks again %s after the answer, %s", s.Threads, by, when[len("every "):], work)
	case kindCron:
		return fmt.Sprintf("idle, then %d threads at once %s, %s each", s.Threads, when, work)
	case kindGo:
		if s.Garbage > 0 {
			return fmt.Sprintf("Go, GOMAXPROCS %d: %s %s that drops %d MiB, %d MiB live, and %d goroutines with %s each", s.Threads, requests, when, s.Garbage>>20, s.Live>>20, s.Threads, work)
		}
		return fmt.Sprintf("Go, GOMAXPROCS %d: %s %s that %d goroutines share, %s each", s.Threads, requests, when, s.Threads, work)
	}
	return fmt.Sprintf("%d threads that never sleep", s.Threads)
}

// workloads lists what was measured.
func workloads(w io.Writer, all []result, of func(scene) bool) {
	_, _ = fmt.Fprintln(w, "| workload | what it is | limits in cores |\n|---|---|---|")
	seen := map[string]bool{}
	for _, r := range all {
		if s := r.Scene; of(s) && !seen[s.Shape.Kind] {
			seen[s.Shape.Kind] = true
			_, _ = fmt.Fprintf(w, "| %s | %s | %.2f, %.2f, %.2f |\n", s.Shape.Kind, s.Shape.describe(), s.Limits[0], s.Limits[1], s.Limits[2])
		}
	}
	_, _ = fmt.Fprintln(w)
}
