// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestItsTimeIsUp has the kubelet end a pod that runs and never gets Ready: how its
// container ended then is what came of it, and not the reason.
func TestItsTimeIsUp(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("late", shell(idles), never, func(p *corev1.Pod) {
		seconds := int64(3)
		p.Spec.ActiveDeadlineSeconds = &seconds
		p.Spec.Containers[0].ReadinessProbe = execProbe("false")
	})
	s.fails(pod, ending{
		step: "Pod", actor: v1alpha1.ActorKubelet, reason: "DeadlineExceeded", message: "deadline",
		insight: []string{"activeDeadlineSeconds"},
	})
}
