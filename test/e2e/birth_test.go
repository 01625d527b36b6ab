// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// nginxActors are the parties to the birth of a pod with one nginx container.
var nginxActors = []string{"CNI", "Runtime", "Runtime (sandbox)", "Runtime app", "Workload (sandbox)", "Workload app"}

// TestNginxIsBorn holds one certificate against the kernel's tracing, the
// container's cgroups and its namespaces.
func TestNginxIsBorn(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	s := newScene(t, f)
	s.keepArmed()
	tr := startTrace(t, "nginx")
	pod := s.create("web", cpuRequest("100m"))
	ready := s.ready(pod)
	c := s.certificate(pod).object

	wantPrompt(t, f, s.firstCertificate(pod), ready.at)
	wantWhole(t, c, v1alpha1.OutcomeReady)
	wantOrder(t, c)
	// Nobody waits for the sandbox's own exec once its runtime has released it.
	wantTold(t, c, "Workload EntrypointExec (sandbox)")
	wantStory(t, c, "Kubelet CgroupCreated", "Runtime NetworkNamespaceCreated", "CNI PluginStarted", "CNI PluginExited",
		"Runtime RuntimeStarted (sandbox)", "Runtime CgroupCreated (sandbox)",
		"Runtime RuntimeStarted app", "Runtime CgroupCreated app", "Runtime CgroupJoined app", "Runtime NamespacesCreated app",
		"Runtime RootChanged app", "Workload EntrypointExec app", "Workload Listen app")
	if got := details(c, "Listen"); !slices.Equal(got, []string{"tcp port 80"}) {
		t.Errorf("listens: %q, want port 80 only", got)
	}
	if got := actorNames(c); !slices.Equal(got, nginxActors) {
		t.Errorf("actors: %q, want %q", got, nginxActors)
	}

	lines := tr.read(t)
	uid := string(pod.UID)
	own := node.processes(t, node.container(t, uid, containerID(ready.object)))
	compareSyscalls(t, c, lines, own)
	compareExecs(t, c, lines, own, podProcesses(t, node, uid))
	compareCgroups(t, c, node, uid)
	compareNamespaces(t, c, node, uid)
	compareMounts(t, c, node, uid, lines)
	addBirthFigures(t, f, c)
}

// compareSyscalls holds the workload's own count against the trace's. The trace
// knows a process by the name that it has since its exec, which is where the
// workload's count begins. It ends with the certificate's window, where the
// workload is at rest as a rule; what it does while the counters are read may be
// in them or not.
func compareSyscalls(t *testing.T, c *v1alpha1.PodBirthCertificate, lines []traced, pids []int) {
	t.Helper()
	counted := actorStats(c, v1alpha1.ActorWorkload, app)
	end := c.Spec.Origin.Time.Add(time.Duration(c.Spec.KernelStats.WindowMicroseconds) * time.Microsecond)
	within := func(l traced) bool { return !wall(l.time).After(end) }
	independent, _ := of(lines, "sys_enter", pids, within)
	all, _ := of(lines, "sys_enter", pids, always)
	if independent != all {
		t.Logf("%s: the window ended before the entrypoint had come to rest", c.Name)
	}
	if independent == 0 || counted.Syscalls < independent || counted.Syscalls > all {
		t.Errorf("%s: %d system calls of the entrypoint, the kernel's trace has %d of processes %v in the certificate's window, and %d in all",
			c.Name, counted.Syscalls, independent, pids, all)
	}
	if counted.Processes != int64(len(pids)) || counted.Execs != 1 {
		t.Errorf("%s: %d processes and %d execs of the entrypoint, its cgroup has processes %v", c.Name, counted.Processes, counted.Execs, pids)
	}
}

// compareExecs holds the entrypoints' execs against the trace's: the container's
// own, and the time between it and the sandbox's, which takes no second clock.
func compareExecs(t *testing.T, c *v1alpha1.PodBirthCertificate, lines []traced, own, pod []int) {
	t.Helper()
	// Of the runtime's own execs in the same process the entrypoint's is the last.
	last := func(pids []int) (at time.Duration) {
		for _, l := range lines {
			if l.event == "sched_process_exec" && slices.Contains(pids, l.tid) {
				at = l.time
			}
		}
		return at
	}
	sandbox := slices.DeleteFunc(slices.Clone(pod), func(pid int) bool { return slices.Contains(own, pid) })
	traced, apart := last(own), last(own)-last(sandbox)
	if traced == 0 || traced == apart {
		t.Fatalf("the kernel's trace has no exec of the processes %v or %v", own, sandbox)
	}
	exec, first := momentOf(c, milestonesOf(t, c, app).EntrypointExec), momentOf(c, c.Spec.Milestones.SandboxStarted)
	if d := wall(traced).Sub(exec); d.Abs() > clocksApart {
		t.Errorf("by the kernel's trace the entrypoint was executed %s after entrypointExec", d)
	}
	if d := exec.Sub(first) - apart; d.Abs() > clocksApart {
		t.Errorf("the entrypoint was executed %s after the sandbox's, by the kernel's trace %s", exec.Sub(first), apart)
	}
}

// wantPrompt adds the parts of the time from Ready to the certificate, of which each
// follows the one before.
func wantPrompt(t *testing.T, f *fixture, seen sighting[*v1alpha1.PodBirthCertificate], ready time.Time) {
	t.Helper()
	c := seen.object
	end := c.Spec.Origin.Time.Add(time.Duration(c.Spec.KernelStats.WindowMicroseconds) * time.Microsecond)
	f.figures.add(t, "nginx: Ready to certificate", "%s, of it until the birth came to rest %s",
		seen.at.Sub(ready).Round(time.Millisecond), end.Sub(ready).Round(time.Millisecond))
	if told := momentOf(c, c.Spec.Milestones.Ready); end.Before(told) || seen.at.Before(end.Add(-clocksApart)) {
		t.Errorf("told Ready at %s, the window ended at %s, and the certificate was there at %s", told, end, seen.at)
	}
}

func compareCgroups(t *testing.T, c *v1alpha1.PodBirthCertificate, node *localNode, uid string) {
	t.Helper()
	want := int64(1 + len(node.children(node.podCgroup(uid))))
	if got := c.Spec.KernelStats.CgroupsCreated; got != want || want != 3 {
		t.Errorf("cgroupsCreated %d; there are %d directories, and 3 were expected", got, want)
	}
}

// podProcesses are those of all containers of a pod.
func podProcesses(t *testing.T, node *localNode, uid string) []int {
	t.Helper()
	pod := node.podCgroup(uid)
	var all []int
	for _, name := range node.children(pod) {
		all = append(all, node.processes(t, pod+"/"+name)...)
	}
	return all
}

// compareNamespaces holds the counts against the namespaces that the pod's
// processes are in and this one is not. A runtime may use further mount
// namespaces for a moment.
func compareNamespaces(t *testing.T, c *v1alpha1.PodBirthCertificate, node *localNode, uid string) {
	t.Helper()
	made := c.Spec.KernelStats.NamespacesCreated
	if made == nil {
		t.Fatal("namespacesCreated is absent")
	}
	host := namespaces(t, []int{os.Getpid()})
	want := map[string]int64{}
	for kind, links := range namespaces(t, podProcesses(t, node, uid)) {
		for link := range links {
			if !host[kind][link] {
				want[kind]++
			}
		}
	}
	for kind, got := range map[string]int64{"pid": made.PID, "net": made.Network, "ipc": made.IPC, "uts": made.UTS} {
		if got != want[kind] {
			t.Errorf("%d %s namespaces created, the pod's processes are in %d of their own", got, kind, want[kind])
		}
	}
	if made.Mount < want["mnt"] || made.Mount < 1 || made.Network != 1 {
		t.Errorf("%d mount and %d network namespaces created, the pod's processes are in %d and %d of their own",
			made.Mount, made.Network, want["mnt"], want["net"])
	}
}

// compareMounts holds the count against the trace: the containers' own
// processes mounted before they became pause and nginx, and the shim and the
// runtime did the rest.
func compareMounts(t *testing.T, c *v1alpha1.PodBirthCertificate, node *localNode, uid string, lines []traced) {
	t.Helper()
	if c.Spec.KernelStats.Mounts == nil {
		t.Fatal("mounts is absent")
	}
	got := *c.Spec.KernelStats.Mounts
	least, _ := of(lines, "sys_exit", podProcesses(t, node, uid), always)
	most := int64(0)
	for _, l := range lines {
		if l.event == "sys_exit" {
			most++
		}
	}
	t.Logf("mounts: %d; the kernel's trace has %d by the containers' first processes and %d on the whole machine", got, least, most)
	if least == 0 || got < least || got > most {
		t.Errorf("%d mounts; the kernel's trace has %d by the containers' first processes and %d on the whole machine", got, least, most)
	}
}

func addBirthFigures(t *testing.T, f *fixture, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	f.figures.add(t, "nginx: birth, first sign to Ready", "%s", c.Spec.Duration)
	f.figures.add(t, "nginx: system calls, all", "%d", c.Spec.KernelStats.TotalSyscalls)
	for _, a := range c.Spec.KernelStats.Actors {
		f.figures.add(t, strings.TrimSpace("nginx: system calls, "+string(a.Actor)+" "+a.Container), "%d in %d processes, %d execs", a.Syscalls, a.Processes, a.Execs)
	}
	own := milestonesOf(t, c, app)
	f.figures.add(t, "nginx: entrypoint to listen", "%s", time.Duration(own.FirstListen.OffsetMicroseconds-own.EntrypointExec.OffsetMicroseconds)*time.Microsecond)
}

var clockWord = regexp.MustCompile(`time\.tv_(sec|usec):\s+(\d+)`)

// clockOf is what a container's own clock first said.
func (s *scene) clockOf(p *corev1.Pod, container string) time.Time {
	s.t.Helper()
	raw, err := s.f.kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: container}).Do(s.t.Context()).Raw()
	if err != nil {
		s.t.Fatalf("logs of container %s: %v", container, err)
	}
	words := map[string]int64{}
	for _, m := range clockWord.FindAllStringSubmatch(string(raw), -1) {
		words[m[1]], _ = strconv.ParseInt(m[2], 10, 64)
	}
	if len(words) != 2 {
		s.t.Fatalf("container %s did not tell the time: %s", container, raw)
	}
	return time.Unix(words["sec"], words["usec"]*1000)
}

// TestBirthByTheContainersOwnClock has containers tell the time first thing, one
// after the other: each is executed before it tells the time, and made after the one
// before has told it.
func TestBirthByTheContainersOwnClock(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("clock", shell("adjtimex; exec sleep 3600"), initContainer("one", "adjtimex"), initContainer("two", "adjtimex"))
	ready := s.ready(pod)
	c := s.certificate(pod).object
	wantHeard(t, c, v1alpha1.OutcomeReady)

	before, least := c.Spec.Origin.Time.Time, time.Hour
	follow := func(what string, at time.Time) {
		t.Helper()
		if at.Before(before.Add(-clocksApart)) {
			t.Errorf("%s at %s; what it comes after was at %s", what, at, before)
		}
		before = at
	}
	for _, name := range []string{"one", "two", app} {
		m := milestonesOf(t, c, name)
		follow(name+" created", momentOf(c, m.Created))
		follow(name+" executed", momentOf(c, m.EntrypointExec))
		told := s.clockOf(pod, name)
		least = min(least, told.Sub(before))
		follow(name+" by its own clock", told)
		if m.Ended != nil {
			follow(name+" ended", momentOf(c, m.Ended))
		}
	}
	f.figures.add(t, "clock: entrypointExec to the container's own clock, least of three", "%s", least)
	// The API has whole seconds, and the runtime does not wait for the exec.
	started := ready.object.Status.ContainerStatuses[0].State.Running.StartedAt
	created := momentOf(c, milestonesOf(t, c, app).Created)
	if started.Add(time.Second).Before(created) || started.After(ready.at) {
		t.Errorf("the API says started at %s; it was created at %s and told Ready at %s", started, created, ready.at)
	}
}

// TestReadyByProbe has the kubelet ask the server before it calls the pod
// Ready, so that one follows from the other.
func TestReadyByProbe(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("probed", cpuRequest("100m"), func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80)}}, PeriodSeconds: 1,
		}
	})
	c := s.certificate(pod).object
	wantHeard(t, c, v1alpha1.OutcomeReady)
	own := milestonesOf(t, c, app)
	wantSequence(t, c, map[string]*v1alpha1.Milestone{
		"1 entrypointExec": own.EntrypointExec, "2 firstListen": own.FirstListen, "3 firstAccept": own.FirstAccept, "4 ready": c.Spec.Milestones.Ready,
	})
	wantStory(t, c, "Workload EntrypointExec app", "Workload Listen app", "Kubelet Ready")
}
