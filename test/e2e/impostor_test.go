// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestAPrivilegedPodSpeaksForNobody has a privileged container execute a program as
// if it were a CNI plugin that fails for another pod, and one that is called runc.
func TestAPrivilegedPodSpeaksForNobody(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	victim := s.create("victim", shell(idles), func(p *corev1.Pod) { p.Spec.Containers[0].ReadinessProbe = execProbe("false") })
	runs := s.pods.await(t, "running", patience, func(seen sighting[*corev1.Pod]) bool {
		return seen.object.UID == victim.UID && seen.object.Status.Phase == corev1.PodRunning
	}).object
	lies := fmt.Sprintf(`mkdir /lies && cp /bin/busybox /lies/runc
while sleep 0.2; do
  CNI_COMMAND=ADD CNI_NETNS=/run/netns/none CNI_CONTAINERID=%s CNI_ARGS='K8S_POD_NAMESPACE=%s;K8S_POD_NAME=victim;K8S_POD_UID=%s' /bin/busybox false
  /lies/runc create %s
  echo lied
done`, strings.Repeat("ab", 32), s.namespace, victim.UID, containerID(runs))
	privileged := true
	liar := s.create("liar", shell(lies), func(p *corev1.Pod) {
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: &privileged}
	})
	// Until its own birth is over all that it does is its own workload's.
	s.bornReady(liar)
	lied := func() int { return strings.Count(s.logs(liar), "lied") }
	before := lied()
	eventually(t, "lies after its birth", func() bool { return lied() >= before+10 })
	s.delete(victim)
	c := s.fails(victim, ending{
		step: "Readiness", actor: v1alpha1.ActorKubelet, container: app, reason: ".*", message: "deleted before it was Ready",
	})
	for _, e := range c.Spec.Timeline {
		if e.Actor == v1alpha1.ActorCNI && strings.Contains(e.Detail, "busybox") {
			t.Errorf("a plugin of the other pod: %+v", e)
		}
	}
	if n := phasesNamed(c, "ContainerCreate"); n != 2 {
		t.Errorf("%d containers were created, want the sandbox and the other pod's own", n)
	}
	if c.Spec.FailedAttempts != 0 {
		t.Errorf("failed attempts %+v of the other pod", c.Spec.Attempts)
	}
}

func phasesNamed(c *v1alpha1.PodBirthCertificate, name string) int {
	n := 0
	for _, p := range c.Spec.Phases {
		if p.Name == name {
			n++
		}
	}
	return n
}
