// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestForkBombsInBirths has two pods fork without measure until they are Ready, and
// others born beside them. Each process is counted, the events are bounded, and the
// neighbors' certificates are whole.
func TestForkBombsInBirths(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	t.Parallel()
	const forked = 4000
	s := newScene(t, f)
	bombs := func(p *corev1.Pod) {
		shell(fmt.Sprintf("i=0; while [ $i -lt %d ]; do (:); i=$((i+1)); done; : >/tmp/up; exec sleep 3600", forked))(p)
		p.Spec.Containers[0].ReadinessProbe = execProbe("test", "-e", "/tmp/up")
	}
	pods := []*corev1.Pod{s.create("bomb-1", bombs), s.create("bomb-2", bombs)}
	neighbors := []*corev1.Pod{s.create("neighbor-1"), s.create("neighbor-2")}
	for _, p := range neighbors {
		c := s.certificate(p).object
		wantHeard(t, c, v1alpha1.OutcomeReady)
		if a := actorStats(c, v1alpha1.ActorWorkload, app); a.Execs != 1 || a.Processes > 8 {
			t.Errorf("%s: workload %+v, want nginx alone", c.Name, a)
		}
	}
	for _, p := range pods {
		c := s.certificate(p).object
		wantHeard(t, c, v1alpha1.OutcomeReady)
		if a := actorStats(c, v1alpha1.ActorWorkload, app); a.Processes != forked+1 || a.Execs != 2 {
			t.Errorf("%s: workload %+v, want %d processes and two execs", c.Name, a, forked+1)
		}
		if e := c.Spec.Coverage.Events; e == nil || e.Attributed > 1000 {
			t.Errorf("%s: events %+v, want them bounded", c.Name, e)
		}
	}
	observer := f.component(t.Context(), t, "kernel-observer")
	if observer == nil {
		t.Fatal("no kernel-observer is ready")
	}
	for _, pid := range node.processes(t, node.container(t, string(observer.UID), afterScheme(observer.Status.ContainerStatuses[0].ContainerID))) {
		peak, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(statusLine(t, pid, "VmHWM")), " kB"))
		if err != nil {
			t.Fatal(err)
		}
		f.figures.add(t, "observer: peak of its resident memory so far", "%d MiB", peak>>10)
		if limit := observer.Spec.Containers[0].Resources.Limits.Memory().Value(); int64(peak)<<10 > limit {
			t.Errorf("the observer has had %d KiB, its limit is %d bytes", peak, limit)
		}
	}
}
