// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// attemptsMax bounds the steps and containers whose failed attempts are told apart.
const attemptsMax = 16

// failedAttempts is how many attempts have failed so far, of all steps.
func failedAttempts(current *birth, s *seen) int32 {
	n := failedRuns(current, s)
	for _, b := range setbacksOf(s) {
		n += b.count()
	}
	return n
}

// failedRuns is how many attempts at sandboxes and containers have failed so far.
func failedRuns(current *birth, s *seen) int32 {
	var n int32
	for _, failed := range runsOf(attemptsOf(current.events, s), s) {
		n += failed
	}
	return n
}

// runsOf is how many attempts at each sandbox and container have failed, by name: as
// the kernel saw them end, or as the kubelet counts (of containers restarts, of sandboxes
// its events), whichever saw more. Those that nobody has named yet stand under no name, but for as many as the kubelet may
// have counted with a name.
func runsOf(heard map[string]*attempts, s *seen) map[string]int32 {
	runs := map[string]int32{}
	var heardAll, saidAll, named int32
	for name, a := range heard {
		if a.failed > 0 {
			runs[name] = a.failed
		}
		if name != v1alpha1.SandboxContainer {
			heardAll += a.failed
		}
	}
	for _, c := range s.pod.Containers {
		said := c.ends()
		if said > runs[c.Name] {
			runs[c.Name] = said
		}
		saidAll, named = saidAll+said, named+runs[c.Name]
	}
	if said := s.sandboxesSaid(); said > runs[v1alpha1.SandboxContainer] {
		runs[v1alpha1.SandboxContainer] = said
	}
	delete(runs, "")
	if n := max(heardAll, saidAll) - named; n > 0 {
		runs[""] = n
	}
	return runs
}

// sandboxesSaid is how many sandboxes could not be made, as the kubelet's events tell:
// of one that it has not asked the runtime for the kernel hears nothing.
func (s *seen) sandboxesSaid() int32 {
	var n int32
	for _, r := range s.remarks {
		if r.Reason == sandboxFailed {
			n += max(1, r.Count)
		}
	}
	return n
}

const sandboxFailed = "FailedCreatePodSandBox"

// ends is how often the container has failed, as the kubelet counts.
func (c *Container) ends() int32 {
	if c.WaitingReason == "CrashLoopBackOff" {
		return c.Restarts + 1 // the one that waits to be started again has failed as well
	}
	return c.Restarts
}

// writeAttempts tells the attempts that failed.
func (w *writer) writeAttempts() {
	w.spec.FailedAttempts = failedAttempts(w.birth, w.seen)
	var all []v1alpha1.StepAttempts
	for _, b := range setbacksOf(w.seen) {
		all = append(all, w.setbackAttempts(b))
	}
	heard := attemptsOf(w.birth.events, w.seen)
	runs := runsOf(heard, w.seen)
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		all = append(all, w.runAttempts(name, runs[name], heard[name]))
	}
	slices.SortStableFunc(all, func(a, b v1alpha1.StepAttempts) int { return cmp.Compare(b.Failed, a.Failed) })
	w.spec.Attempts = all[:min(len(all), attemptsMax)]
}

// lastFailed is when the latest attempt was seen to have failed, 0 if none was: what only
// an event tells is of a whole second, and not among them.
func (w *writer) lastFailed() uint64 {
	var latest uint64
	for _, b := range setbacksOf(w.seen) {
		latest = max(latest, b.last)
	}
	for _, a := range attemptsOf(w.birth.events, w.seen) {
		latest = max(latest, a.failedAt)
	}
	return latest
}

// setbackAttempts tells a container's setbacks. The latest is by the clock that saw it
// last.
func (w *writer) setbackAttempts(b setbackOf) v1alpha1.StepAttempts {
	a := v1alpha1.StepAttempts{Step: b.step, Container: b.container, Reason: word(b.reason), Failed: b.count()}
	switch {
	case b.last != 0 && !b.saidLast.After(w.config.Wall(b.last)):
		a.LastFailed = w.at(b.last, v1alpha1.ClockWatch)
	case !b.saidLast.IsZero():
		a.LastFailed = w.atWall(b.saidLast)
	}
	return a
}

// runAttempts tells the failed attempts at a container or a sandbox.
func (w *writer) runAttempts(name string, failed int32, heard *attempts) v1alpha1.StepAttempts {
	a := v1alpha1.StepAttempts{Step: w.runStep(name, heard), Container: name, Failed: failed}
	if heard != nil && heard.failedAt != 0 {
		a.LastFailed = w.at(heard.failedAt, v1alpha1.ClockKernel)
	}
	if c, ok := w.seen.pod.container(name); ok && c.lastEnd() != nil {
		a.Reason = word(c.lastEnd().Reason)
	}
	if name == v1alpha1.SandboxContainer && w.seen.sandboxesSaid() > 0 {
		a.Reason = sandboxFailed
	}
	return a
}
