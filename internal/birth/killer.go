// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// The kubelet kills a container whose postStart hook fails, or that fails its startup or
// liveness probe, and starts it again. The kernel hears of a program that was killed, and
// the pod's status soon says no more than that. Why it was is said in events.
const (
	hookFailed = "FailedPostStartHook"
	hookError  = "PostStartHookError"
	killing    = "Killing"
	unhealthy  = "Unhealthy"
)

// killer is why the kubelet killed a container.
type killer struct{ step, reason, message string }

// killedBy is the latest that the kubelet has said, since an attempt began, of why it
// killed a container; false where it said nothing.
func (s *seen) killedBy(container string, began time.Time) (killer, bool) {
	var latest Remark
	for _, r := range s.remarks {
		why := r.Reason == hookFailed || r.Reason == killing && ofProbe(r.Message) != ""
		if r.Container == container && why && !r.Time.Before(latest.Time) && !r.Time.Before(began.Truncate(time.Second)) {
			latest = r
		}
	}
	switch latest.Reason {
	case hookFailed:
		message := latest.Message
		if said := s.hookErrors[container]; said != "" {
			message = said
		}
		return killer{"PostStartHook", hookError, message}, true
	case killing:
		return killer{"Readiness", unhealthy, join(latest.Message, s.lastSaid(container, unhealthy, ofProbe(latest.Message)))}, true
	}
	return killer{}, false
}

// ofProbe is how the kubelet begins to tell that a probe has failed for which it kills a
// container, by what it says of the killing (pkg/kubelet/kuberuntime/kuberuntime_manager.go,
// prober/prober.go); empty for another reason.
func ofProbe(message string) string {
	switch {
	case strings.Contains(message, " failed startup probe"):
		return "Startup probe "
	case strings.Contains(message, " failed liveness probe"):
		return "Liveness probe "
	}
	return ""
}

// lastSaid is the latest remark of that reason on a container that begins so, without
// the blanks at its end; or empty.
func (s *seen) lastSaid(container, reason, prefix string) string {
	var latest Remark
	for _, r := range s.remarks {
		if r.Container == container && r.Reason == reason && strings.HasPrefix(r.Message, prefix) && !r.Time.Before(latest.Time) {
			latest = r
		}
	}
	return strings.TrimRight(latest.Message, ": \n")
}

// noteHooks keeps what the status says of hooks that failed, which it does for a moment.
func (s *seen) noteHooks(p *Pod) {
	for _, c := range p.Containers {
		if c.WaitingReason != hookError {
			continue
		}
		if s.hookErrors == nil {
			s.hookErrors = map[string]string{}
		}
		s.hookErrors[c.Name] = c.Message
	}
}

// addKiller says of a program that was killed that the kubelet did it, and for what.
func (w *writer) addKiller(f *v1alpha1.BirthFailure) {
	a := attemptsOf(w.birth.events, w.seen)[f.Container]
	if f.Step != "Entrypoint" || f.Actor == v1alpha1.ActorKernel || a == nil || a.failed == 0 {
		return
	}
	if k, ok := w.seen.killedBy(f.Container, w.config.Wall(a.lastFailed.began)); ok {
		f.Step, f.Actor, f.Reason, f.Message = k.step, v1alpha1.ActorKubelet, k.reason, cut(printable(k.message), messageMax)
	}
}

// isKill is true for the end of a process as the kubelet ends one.
func isKill(e event.Event) bool {
	status := unix.WaitStatus(e.Value)
	return e.Kind == event.Exit && status.Signaled() && (status.Signal() == unix.SIGKILL || status.Signal() == unix.SIGTERM)
}

// awaitsKiller is true for a moment after a program was killed of which the kubelet has
// not said that it did it. The kernel says itself where it did.
func (b *Book) awaitsKiller(current *birth, s *seen, now uint64) bool {
	// Births that go on for long are not gone through again and again: nothing failed since.
	if !b.config.Remarks || now > current.last+explainedAfter {
		return false
	}
	for name, a := range attemptsOf(current.events, s) {
		c, known := s.pod.container(name)
		if !known || a.failed == 0 || !a.lastFailed.killed || now > a.failedAt+explainedAfter || c.Ended != nil && c.Ended.Reason == "OOMKilled" {
			continue
		}
		if _, said := s.killedBy(name, b.config.Wall(a.lastFailed.began)); !said && !current.outOfMemory(s, name) {
			return true
		}
	}
	return false
}

// outOfMemory is true if the kernel killed a process of the container.
func (c *birth) outOfMemory(s *seen, container string) bool {
	for _, e := range c.events {
		if e.Kind == event.OutOfMemory && s.names[e.Who.ContainerID] == container {
			return true
		}
	}
	return false
}
