// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// TestAuditOfABirth holds every process, every exec and every system call of a
// certificate against the kernel's own trace of the whole machine.
func TestAuditOfABirth(t *testing.T) {
	f := cluster(t)
	f.local(t)
	s := newScene(t, f)
	s.keepArmed()
	tr := startAudit(t)
	pod := s.create("web", cpuRequest("100m"))
	s.born(pod)
	auditBirths(t, s, tr.tree(t), pod)
}

// TestAuditOfBirthsAtOnce does the same for pods that are born at the same time:
// each certificate has all of its own tree, and nothing of its neighbors'.
func TestAuditOfBirthsAtOnce(t *testing.T) {
	f := cluster(t)
	f.local(t)
	s := newScene(t, f)
	s.keepArmed()
	tr := startAudit(t)
	pods := []*corev1.Pod{
		s.create("one", cpuRequest("100m")), s.create("two", cpuRequest("100m")),
		s.create("three", cpuRequest("100m"), func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{
				Name: "first", Image: busyboxImage, ImagePullPolicy: corev1.PullIfNotPresent,
				Command: []string{"sh", "-c", "for i in 1 2 3; do cat /proc/self/stat >/dev/null; done"},
			}}
		}),
	}
	for _, p := range pods {
		s.born(p)
	}
	auditBirths(t, s, tr.tree(t), pods...)
}

// born waits for the certificate of a birth that is over and of which nothing is
// missing. One that takes long is told before, and one whose image the kubelet has
// not told of yet is told again.
func (s *scene) born(p *corev1.Pod) *v1alpha1.PodBirthCertificate {
	s.t.Helper()
	s.ready(p)
	return s.certificates.await(s.t, "about "+p.Name+", all of it heard", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		spec := seen.object.Spec
		return spec.PodRef.UID == string(p.UID) && spec.Outcome == v1alpha1.OutcomeReady && len(spec.Coverage.Missing) == 0
	}).object
}

// auditBirths compares the certificates of pods that were born during a trace.
func auditBirths(t *testing.T, s *scene, tree *auditTree, pods ...*corev1.Pod) {
	t.Helper()
	claimed := map[*auditRun]string{}
	for _, p := range pods {
		c, ready := s.born(p), s.ready(p).object
		birth := auditBirth{t: t, tree: tree, certificate: c, pod: ready, node: s.f.node, claimed: claimed}
		actors := birth.actors()
		for _, run := range birth.runs {
			if other := claimed[run]; other != "" {
				t.Errorf("the run of %s at %s is of pod %s and of pod %s", run.file, run.opened, other, p.Name)
			}
			claimed[run] = p.Name
		}
		birth.compare(actors)
	}
}

// auditBirth is one pod's part of a tree.
type auditBirth struct {
	t           *testing.T
	tree        *auditTree
	certificate *v1alpha1.PodBirthCertificate
	pod         *corev1.Pod
	node        *localNode
	runs        []*auditRun
	// claimed are the runs of the pods before.
	claimed map[*auditRun]string
}

// actors are the sides of all of the pod's runs, by the names that they have in
// the certificate.
func (b *auditBirth) actors() map[string][]*auditSide {
	b.t.Helper()
	shim := b.shim()
	all := map[string][]*auditSide{}
	add := func(run *auditRun, own, entered string) {
		b.runs = append(b.runs, run)
		all[own] = append(all[own], &run.own)
		if len(run.entered.processes) > 0 {
			all[entered] = append(all[entered], &run.entered)
		}
	}
	for _, run := range b.plugins() {
		add(run, "CNI", "")
	}
	containers := b.containers(shim)
	for _, run := range b.tree.runs {
		if run.root() != shim {
			continue
		}
		if run.file != "runc" {
			add(run, "Runtime", "")
			continue
		}
		if name := containers[run]; name != "" {
			add(run, "Runtime "+name, "Workload "+name)
		}
	}
	return all
}

// shim finds the root of the pod's runs by the process that is in the container's
// cgroup now.
func (b *auditBirth) shim() *auditRun {
	b.t.Helper()
	pids := b.node.processes(b.t, b.node.container(b.t, string(b.pod.UID), containerID(b.pod)))
	for _, run := range b.tree.runs {
		for _, pid := range pids {
			if run.entered.pids[pid] {
				return run.root()
			}
		}
	}
	b.t.Fatalf("pod %s: none of the %d runs in the trace has become one of the processes %v", b.pod.Name, len(b.tree.runs), pids)
	return nil
}

// containers names the runs of runc. The sandbox and the containers are made one
// after the other, each by a run that becomes it ("create"), followed by one that
// lets it go on ("start") and ends before anything else is done. What runc is run
// for besides is the removal of an init container, which is no part of a birth.
func (b *auditBirth) containers(shim *auditRun) map[*auditRun]string {
	b.t.Helper()
	order := []string{v1alpha1.SandboxContainer}
	for _, c := range append(slices.Clone(b.pod.Spec.InitContainers), b.pod.Spec.Containers...) {
		order = append(order, c.Name)
	}
	names := map[*auditRun]string{}
	made, started := 0, true
	for _, run := range b.tree.runs {
		switch {
		case run.root() != shim || run.file != "runc":
		case len(run.entered.processes) > 0 && made < len(order):
			names[run] = order[made]
			made++
			started = false
		case !started:
			names[run] = order[made-1]
			started = true
		}
	}
	if made != len(order) {
		b.t.Fatalf("pod %s: %d containers in the trace, want %q", b.pod.Name, made, order)
	}
	return names
}

// plugins finds the pod's CNI plugins by their environment. One that was gone
// before that could be read is the pod's if the pod lacks one of that name: what
// the certificate counts is then held against it as against the others.
func (b *auditBirth) plugins() []*auditRun {
	b.t.Helper()
	var found, unread []*auditRun
	for _, run := range b.tree.runs {
		if isAuditRuntime(run.file) || run.opened > b.tree.at(b.end()) {
			continue
		}
		environment, read := b.tree.environments[run.began]
		if !read {
			unread = append(unread, run)
		}
		if strings.Contains(environment, "K8S_POD_UID="+string(b.pod.UID)) && strings.Contains(environment, "CNI_COMMAND=ADD") {
			found = append(found, run)
		}
	}
	for _, run := range unread {
		named := func(other *auditRun) bool { return other.file == run.file }
		if b.claimed[run] != "" || slices.ContainsFunc(found, named) || run.opened < b.tree.at(b.certificate.Spec.Origin.Time.Time) {
			continue
		}
		b.t.Logf("the plugin %s in process %d was gone before its environment could be read: taken for that of pod %s, which has no other", run.file, run.began, b.pod.Name)
		found = append(found, run)
	}
	return found
}

// end of the certificate's window.
func (b *auditBirth) end() time.Time {
	spec := b.certificate.Spec
	return spec.Origin.Time.Add(time.Duration(spec.KernelStats.WindowMicroseconds) * time.Microsecond)
}

// compare holds all that is counted against the tree. The window ends with the
// observer's decision to read the counters: what is done while they are read may be in
// them or not. A shim goes on working then; all others have come to rest as a rule.
func (b *auditBirth) compare(actors map[string][]*auditSide) {
	b.t.Helper()
	end := b.tree.at(b.end())
	told := map[string]v1alpha1.ActorStats{}
	for _, a := range b.certificate.Spec.KernelStats.Actors {
		told[strings.TrimSpace(string(a.Actor)+" "+a.Container)] = a
	}
	if got, want := slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Keys(actors)); !slices.Equal(got, want) {
		b.t.Errorf("certificate %s: actors %q, the trace has %q", b.certificate.Name, got, want)
	}
	var rows []string
	exact := true
	for _, name := range slices.Sorted(maps.Keys(actors)) {
		a := told[name]
		for what, pair := range map[string]struct {
			got  int64
			want func(*auditSide) []time.Duration
		}{
			"processes":    {a.Processes, func(s *auditSide) []time.Duration { return s.processes }},
			"execs":        {a.Execs, func(s *auditSide) []time.Duration { return s.execs }},
			"system calls": {a.Syscalls, func(s *auditSide) []time.Duration { return s.calls }},
		} {
			least, most := auditCount(actors[name], end, pair.want)
			exact = exact && (least == most || name == "Runtime")
			if pair.got < least || pair.got > most {
				b.t.Errorf("certificate %s: %s: %d %s, the trace has %d at the end of the window and %d at its own",
					b.certificate.Name, name, pair.got, what, least, most)
			}
		}
		rows = append(rows, fmt.Sprintf("%s: %d in %d processes, %d execs", name, a.Syscalls, a.Processes, a.Execs))
	}
	b.t.Logf("pod %s, as in %d lines of the trace (all but the shim at rest from the end of the window on: %t):\n%s",
		b.pod.Name, b.tree.lines, exact, strings.Join(rows, "\n"))
}

// auditCount counts what the sides did by the end of the window, and by the end of
// the trace.
func auditCount(sides []*auditSide, end time.Duration, pick func(*auditSide) []time.Duration) (least, most int64) {
	for _, s := range sides {
		for _, at := range pick(s) {
			most++
			if at <= end {
				least++
			}
		}
	}
	return least, most
}
