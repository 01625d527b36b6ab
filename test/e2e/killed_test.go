// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestObserverIsKilled kills the observer's process in the midst of a birth and of
// an episode. The kubelet starts it again: it takes the whisper up, follows the birth
// from there, says that its beginning is missing, and changes nothing that was told.
// It is not parallel: others' births would be cut as well.
func TestObserverIsKilled(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	s := newScene(t, f)
	observer := f.component(t.Context(), t, "kernel-observer")
	if observer == nil {
		t.Fatal("no kernel-observer is ready: run make deploy")
	}
	observers := follow[*corev1.Pod](t, f.client, &corev1.PodList{}, installed)
	burner := s.create("burner", shell(burns), cpuLimit("100m"))
	born := s.certificate(burner).object
	s.whisper(burner, "at all", patience, anyState)
	unborn := s.create("unborn", shell(idles), initContainer("first", "sh", "-c", "until [ -e /tmp/go ]; do sleep 0.1; done"))
	s.pods.await(t, "running its init container", patience, func(seen sighting[*corev1.Pod]) bool {
		statuses := seen.object.Status.InitContainerStatuses
		return seen.object.UID == unborn.UID && len(statuses) == 1 && statuses[0].State.Running != nil
	})

	container := observer.Status.ContainerStatuses[0]
	for _, pid := range node.processes(t, node.container(t, string(observer.UID), afterScheme(container.ContainerID))) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	killed := time.Now()
	again := observers.await(t, "started again", 2*patience, func(seen sighting[*corev1.Pod]) bool {
		p := seen.object
		return p.UID == observer.UID && isReady(p) && p.Status.ContainerStatuses[0].RestartCount > container.RestartCount
	})
	f.figures.add(t, "observer killed: until it is Ready again", "%s", again.at.Sub(killed).Round(time.Millisecond))
	if last := again.object.Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 128+int32(syscall.SIGKILL) {
		t.Errorf("it ended by itself: %+v", last)
	}

	s.kubectl("exec", unborn.Name, "-c", "first", "--", "touch", "/tmp/go")
	c := s.certificate(unborn).object
	missing := strings.Join(c.Spec.Coverage.Missing, "\n")
	if c.Spec.Complete || c.Spec.Outcome != v1alpha1.OutcomeReady || !strings.Contains(missing, "the birth was under way when its node began to be heard") {
		t.Errorf("certificate %s: complete %t, outcome %s, missing %q", c.Name, c.Spec.Complete, c.Spec.Outcome, c.Spec.Coverage.Missing)
	}
	if m := milestonesOf(t, c, app); m.EntrypointExec == nil || c.Spec.Milestones.SandboxCgroupCreated != nil {
		t.Errorf("certificate %s: %+v; want what was heard, and nothing else", c.Name, c.Spec.Milestones)
	}
	s.whisper(burner, "taken up", patience, func(w *v1alpha1.KernelWhisper) bool {
		return w.Spec.LastSeenTime.After(again.at) && !ended(w)
	})
	s.exec(burner, "touch", "/tmp/stop")
	end := s.whisper(burner, "ended and judged", patience, func(w *v1alpha1.KernelWhisper) bool { return ended(w) && judged(w) })
	wantConditions(t, end.object, metav1.ConditionFalse, metav1.ConditionTrue)
	wantOneWhisper(t, s, burner)
	if names := s.certificateNames(burner); len(names) != 1 || names[born.Name] != born.Generation {
		t.Errorf("after the kill the pod has certificates %v, want %s unchanged", names, born.Name)
	}
}
