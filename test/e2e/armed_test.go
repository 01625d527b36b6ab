// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// firstBirths are tried at most until one is heard whole.
const firstBirths = 10

// awaits waits, without a system call, until somebody writes to the file.
const awaits = "mkfifo /tmp/go; read go </tmp/go"

// keepArmed has the observer hear system calls until the test ends: the birth of a pod
// is under way all that time. The observer begins to hear when it is told of a pod,
// which may be after the pod's first processes; of births from now on nothing is
// missing, as that of a first one shows.
func (s *scene) keepArmed() {
	s.t.Helper()
	s.hold()
	for n := 1; ; n++ {
		c := s.certificate(s.create(fmt.Sprintf("first-%d", n), shell(idles))).object
		if len(c.Spec.Coverage.Missing) == 0 {
			return
		}
		if n == firstBirths {
			s.t.Fatalf("a birth is under way, and of %d others none was heard whole; of the last is missing %q", n, c.Spec.Coverage.Missing)
		}
	}
}

// hold begins a birth that goes on until the scene is over.
func (s *scene) hold() {
	s.t.Helper()
	holder := s.create("holder", shell(idles), initContainer("wait", "sh", "-c", awaits))
	s.pods.await(s.t, "holder running its init container", patience, func(seen sighting[*corev1.Pod]) bool {
		statuses := seen.object.Status.InitContainerStatuses
		return seen.object.UID == holder.UID && len(statuses) == 1 && statuses[0].State.Running != nil
	})
}

// armed waits until a birth was heard whole by all of these witnesses, while another
// one is under way, and returns the pod that was born.
func (s *scene) armed(t *testing.T, witnesses ...*witness) *corev1.Pod {
	t.Helper()
	s.hold()
	for n := 1; ; n++ {
		first := s.create(fmt.Sprintf("first-%d", n), shell(idles))
		var missing []string
		for _, w := range witnesses {
			missing = append(missing, w.certificate(t, first).Spec.Coverage.Missing...)
		}
		if len(missing) == 0 {
			return first
		}
		if n == firstBirths {
			t.Fatalf("of %d births none was heard whole by all; of the last is missing %q", n, missing)
		}
	}
}

// alone waits until nothing of the scenes before is left on the cluster: what is
// measured now is not to share the CPUs, or the places to listen, with what goes.
func (f *fixture) alone(t *testing.T) {
	t.Helper()
	within(t, 2*patience, "no pod of the tests before", func() bool {
		pods := &corev1.PodList{}
		if err := f.client.List(t.Context(), pods); err != nil {
			t.Fatal(err)
		}
		for _, p := range pods.Items {
			if ofATest(p.Namespace) {
				return false
			}
		}
		return true
	})
}
