// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const (
	// stormWidth is how many pods of a storm are under way at most: whoever has its
	// certificate is deleted, and makes room for the next.
	stormWidth = 24
	// stormOverlap is how many births must be under way at once for it to be a storm.
	stormOverlap = 20
	// stormPatience ends a storm that does not get anywhere: in which nothing is told for
	// so long. The last word on one pod was seen to take half a minute after the others'.
	stormPatience = 2 * time.Minute
)

// TestStorm has a hundred pods of seven kinds born within a minute, while every
// CPU of the node is busy: each birth must be told once, whole and unmixed.
// KG_STORM_ROUNDS repeats it.
func TestStorm(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("KG_STORM_ROUNDS"), "1"))
	if err != nil || rounds < 1 {
		t.Fatalf("KG_STORM_ROUNDS=%s: give a number from 1", os.Getenv("KG_STORM_ROUNDS"))
	}
	for n := range rounds {
		t.Run(fmt.Sprintf("round %d", n+1), func(t *testing.T) {
			s := newScene(t, f)
			s.keepBusy(node)
			storm := &storm{scene: s, byUID: map[string]*stormBirth{}}
			storm.run()
			storm.check()
			storm.addFigures(fmt.Sprintf("storm %d", n+1))
		})
	}
}

// keepBusy occupies every CPU of this machine until the scene is over, in a
// cgroup of its own. Its weight is a tenth of the cluster's: nothing finds a CPU
// idle, and a hundred births are still possible within a minute.
func (s *scene) keepBusy(node *localNode) {
	s.t.Helper()
	cgroup := filepath.Join(node.cpu, fmt.Sprintf("%sload-%d", instancePrefix, os.Getpid()))
	if err := os.Mkdir(cgroup, 0o755); err != nil {
		s.t.Fatalf("make a cgroup for the load: %v", err)
	}
	s.t.Cleanup(func() {
		if err := os.Remove(cgroup); err != nil {
			s.t.Errorf("remove the load's cgroup: %v", err)
		}
	})
	weight := map[bool][2]string{false: {"cpu.shares", "102"}, true: {"cpu.weight", "10"}}[node.unified]
	if err := os.WriteFile(filepath.Join(cgroup, weight[0]), []byte(weight[1]), 0o600); err != nil {
		s.t.Fatalf("weigh the load: %v", err)
	}
	for range runtime.NumCPU() {
		load := exec.Command("sh", "-c", "read go && while :; do :; done")
		start, err := load.StdinPipe()
		if err == nil {
			err = load.Start()
		}
		if err != nil {
			s.t.Fatalf("start the load: %v", err)
		}
		s.t.Cleanup(func() {
			_ = load.Process.Kill()
			_ = load.Wait()
		})
		if err := os.WriteFile(filepath.Join(cgroup, "cgroup.procs"), []byte(strconv.Itoa(load.Process.Pid)), 0o600); err != nil {
			s.t.Fatalf("move the load: %v", err)
		}
		if _, err := start.Write([]byte("\n")); err != nil {
			s.t.Fatalf("start the load: %v", err)
		}
	}
}

// storm is one of them, under way or over.
type storm struct {
	*scene
	births []*stormBirth
	byUID  map[string]*stormBirth
}

// stormBirth is one pod of a storm.
type stormBirth struct {
	kind    *stormKind
	pod     *corev1.Pod
	settled time.Time // when the watch told that it is Ready or over; zero if it did not
	told    time.Time // when the watch delivered the certificate of the birth's end
	deleted bool
	first   *v1alpha1.PodBirthCertificate // of the birth's end
	final   *v1alpha1.PodBirthCertificate // also with what the kubelet says of its images
}

// run creates pods of all kinds in turn, as long as there is room for more, and
// deletes those whose birth was told.
func (s *storm) run() {
	s.t.Helper()
	kinds := stormOrder()
	deadline := time.NewTimer(stormPatience)
	defer deadline.Stop()
	for progress := -1; ; {
		for len(s.births) < len(kinds) && s.underWay() < stormWidth {
			kind := kinds[len(s.births)]
			b := &stormBirth{kind: kind, pod: s.create(fmt.Sprintf("%s-%03d", kind.name, len(s.births)), kind.change)}
			s.births, s.byUID[string(b.pod.UID)] = append(s.births, b), b
		}
		certificates, broken, changed := s.certificates.state()
		s.take(certificates)
		if len(s.births) == len(kinds) && len(s.without((*stormBirth).lastWord)) == 0 {
			break
		}
		if broken != "" {
			s.t.Fatal(broken)
		}
		if now := 2*len(s.births) - s.underWay() - len(s.without((*stormBirth).lastWord)); now > progress {
			progress = now
			deadline.Reset(stormPatience)
		}
		select {
		case <-changed:
		case <-deadline.C:
			s.t.Fatalf("nothing new for %s; of %d births, no last word on %q", stormPatience, len(s.births), s.without((*stormBirth).lastWord))
		}
	}
	s.takePods()
}

// take notes what the certificates say. The first one of a birth that goes on
// failing is not the last: deleting the pod ends it.
func (s *storm) take(certificates []sighting[*v1alpha1.PodBirthCertificate]) {
	s.t.Helper()
	for _, seen := range certificates {
		b := s.byUID[seen.object.Spec.PodRef.UID]
		if b == nil || b.final != nil {
			continue
		}
		goesOn := seen.object.Spec.UnderWay
		if !goesOn && b.first == nil {
			b.first, b.told = seen.object, seen.at
		}
		if !goesOn && !awaitsImages(seen.object) {
			b.final = seen.object
		}
		if failure := seen.object.Spec.Failure; !b.deleted && (!goesOn || b.kind.hopeless && failure != nil && failure.Step == b.kind.failure) {
			b.deleted = true
			s.delete(b.pod)
		}
	}
}

// takePods notes when each pod was told Ready or over.
func (s *storm) takePods() {
	pods, _, _ := s.pods.state()
	for _, seen := range pods {
		b, phase := s.byUID[string(seen.object.UID)], seen.object.Status.Phase
		over := phase == corev1.PodSucceeded || phase == corev1.PodFailed
		if b != nil && b.settled.IsZero() && seen.object.DeletionTimestamp == nil && (over || isReady(seen.object)) {
			b.settled = seen.at
		}
	}
}

func (s *storm) underWay() int { return len(s.without((*stormBirth).ended)) }

func (b *stormBirth) ended() bool { return b.first != nil }

func (b *stormBirth) lastWord() bool { return b.final != nil }

// without are the pods of which that is not true.
func (s *storm) without(holds func(*stormBirth) bool) []string {
	var names []string
	for _, b := range s.births {
		if !holds(b) {
			names = append(names, b.pod.Name)
		}
	}
	return names
}

// check holds every birth against what its kind takes, and against the others
// of its kind: whoever counts a neighbor's process counts its execs as well.
func (s *storm) check() {
	s.t.Helper()
	names := map[string]bool{}
	alike := map[string]string{}
	for _, b := range s.births {
		names[b.final.Name] = true
		if got := s.certificateNames(b.pod); len(got) != 1 {
			s.t.Errorf("pod %s has certificates %v, want one", b.pod.Name, got)
		}
		wantHeardAll(s.t, b.final)
		b.kind.check(s.t, b.final)
		for what, got := range b.kind.alike(b.final) {
			key := b.kind.name + ": " + what
			if before, known := alike[key]; !known {
				alike[key] = got
			} else if got != before {
				s.t.Errorf("certificate %s: %s: %s; another %s has %s", b.final.Name, what, got, b.kind.name, before)
			}
		}
	}
	if len(names) != len(s.births) {
		s.t.Errorf("%d certificates for %d pods", len(names), len(s.births))
	}
	if most := s.overlap(); most < stormOverlap {
		s.t.Errorf("at most %d births at once, want %d", most, stormOverlap)
	}
}

// wantHeardAll fails unless every event has its place, nothing was lost, and a
// certificate that is not complete says why.
func wantHeardAll(t *testing.T, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	coverage := c.Spec.Coverage
	if coverage.AttributedPercent != "100.0" || coverage.LostEvents != 0 || len(coverage.Lost) > 0 {
		t.Errorf("certificate %s: coverage %s %%, lost %d %+v; want 100.0, 0", c.Name, coverage.AttributedPercent, coverage.LostEvents, coverage.Lost)
	}
	switch e := coverage.Events; {
	case e == nil:
		t.Errorf("certificate %s does not count its events", c.Name)
	case e.Unresolved != 0 || e.Attributed == 0 || e.Heard != e.Attributed+e.Others+e.Daemons+e.Unresolved:
		t.Errorf("certificate %s: events %+v; want them to sum up, and none unresolved", c.Name, *e)
	}
	if c.Spec.Complete != (len(coverage.Missing) == 0) {
		t.Errorf("certificate %s: complete %t, missing %q", c.Name, c.Spec.Complete, coverage.Missing)
	}
	if own := details(c, "CgroupCreated"); len(own) == 0 || own[0] != "pod"+c.Spec.PodRef.UID {
		t.Errorf("certificate %s of pod %s: cgroups %q", c.Name, c.Spec.PodRef.UID, own)
	}
	wantSize(t, c, 16<<10)
}
