// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// crowdSize is how many pods are born at once.
const crowdSize = 20

// TestCrowdIsBorn starts many pods at once: each gets a certificate of its own,
// with its own processes and nobody else's.
func TestCrowdIsBorn(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	s := newScene(t, f)
	s.keepArmed()
	tr := startTrace(t, "nginx")
	var pods []*corev1.Pod
	began := time.Now()
	for i := range crowdSize {
		pods = append(pods, s.create(fmt.Sprintf("web-%02d", i)))
	}
	certificates, latest := map[string]*v1alpha1.PodBirthCertificate{}, time.Duration(0)
	for _, p := range pods {
		ready, seen := s.ready(p), s.certificate(p)
		certificates[seen.object.Name] = seen.object
		latest = max(latest, seen.at.Sub(ready.at))
	}
	f.figures.add(t, fmt.Sprintf("%d pods at once: creation to last certificate", crowdSize), "%s", time.Since(began).Round(time.Millisecond))
	f.figures.add(t, fmt.Sprintf("%d pods at once: Ready to certificate, longest", crowdSize), "%s", latest.Round(time.Millisecond))
	if len(certificates) != crowdSize {
		t.Errorf("%d certificates for %d pods", len(certificates), crowdSize)
	}
	lines := tr.read(t)
	var execs string
	for _, p := range pods {
		c := s.certificate(p).object
		wantWhole(t, c, v1alpha1.OutcomeReady)
		wantOrder(t, c)
		compareSyscalls(t, c, lines, node.processes(t, node.container(t, string(p.UID), containerID(s.ready(p).object))))
		compareCgroups(t, c, node, string(p.UID))
		wantOwnDeeds(t, c)
		// Whoever counts a neighbor's process counts its execs.
		if got := actorExecs(c); execs == "" {
			execs = got
		} else if got != execs {
			t.Errorf("certificate %s: execs %s; another has %s", c.Name, got, execs)
		}
		if names := s.certificateNames(p); len(names) != 1 {
			t.Errorf("pod %s has certificates %v", p.Name, names)
		}
	}
}

// wantOwnDeeds fails unless everything that happens once in a birth is told once.
func wantOwnDeeds(t *testing.T, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	if got := actorNames(c); !slices.Equal(got, nginxActors) {
		t.Errorf("certificate %s: actors %q, want %q", c.Name, got, nginxActors)
	}
	for action, want := range map[string]int{
		"Scheduled": 1, "NetworkNamespaceCreated": 1, "CgroupCreated": 3, "EntrypointExec": 2, "RootChanged": 2, "Listen": 1, "Ready": 1,
	} {
		if got := len(details(c, action)); got != want {
			t.Errorf("certificate %s: %d times %s, want %d", c.Name, got, action, want)
		}
	}
	if pod := details(c, "CgroupCreated"); len(pod) > 0 && pod[0] != "pod"+c.Spec.PodRef.UID {
		t.Errorf("certificate %s of pod %s: its cgroup is %s", c.Name, c.Spec.PodRef.UID, pod[0])
	}
}
