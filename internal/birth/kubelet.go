// SPDX-License-Identifier: Apache-2.0

package birth

import "github.com/kernel-gossip/kernel-gossip/internal/event"

// kubeletPhases are the kubelet's and the runtime's time before each container's
// creation: since the sandbox's start, since the container before it was
// started, or, after an init container, since that one ended. Images, configuration
// and the container's snapshot are in it. Before another attempt at the same container
// it is the time since the last one ended: the kubelet waits for most of it.
func (w *writer) kubeletPhases() {
	var before uint64
	ended := map[string]uint64{} // attempts at containers, by name
	for _, s := range w.steps {
		if s.role != event.RoleRuntime {
			continue
		}
		if container := w.container(s.who); creates(s) && !s.who.Sandbox {
			last, again := ended[container]
			switch {
			case again && container != "":
				w.phase("ContainerRetry", container, "", last, s.opened)
			case before != 0:
				w.phase("KubeletContainer", container, "", before, s.opened)
				w.pullPhase(container, before, s.opened)
			}
			ended[container] = max(s.exited, s.entrypointExit)
		}
		before = max(before, w.settled(s))
	}
}

// pullPhase has the length that the kubelet tells, and begins where the kubelet
// began with the container: the pull is the first thing that it does. Where pulls had
// failed before it lies at the end, and between the first failure and it the kubelet
// tried again and waited. A pull that does not fit was of another attempt.
func (w *writer) pullPhase(container string, from, to uint64) {
	image := w.seen.image(container)
	if image == nil {
		return
	}
	var took uint64
	if image.PullMicroseconds != nil {
		took = uint64(*image.PullMicroseconds) * 1000
	}
	if from+took > to {
		return
	}
	failed := w.seen.setbacks[setbackKey{container, "ImagePull"}].first
	retried := failed > from && failed+took <= to
	began := from
	if retried {
		began = to - took
		w.phase("ImageRetry", container, "", failed, began)
	}
	if image.PullMicroseconds != nil {
		w.phase("ImagePull", container, "", began, began+took)
	}
}

// creates is true for a step that makes a container.
func creates(s *step) bool { return s.who.Op == "create" || s.who.Op == "run" }

// settled is when the kubelet could go on after a step.
func (w *writer) settled(s *step) uint64 {
	if c, ok := w.seen.pod.container(w.container(s.who)); ok && c.Init && s.entrypointExit != 0 {
		return s.entrypointExit
	}
	if s.who.Sandbox && s.entrypoint != 0 && s.who.Op != "start" {
		return s.entrypoint
	}
	return s.exited
}
