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
	tr := startTrace(t, "nginx")
	pod := s.create("web", cpuRequest("100m"))
	ready := s.ready(pod)
	c := s.certificate(pod).object

	late := s.firstCertificate(pod).at.Sub(ready.at)
	f.figures.add(t, "nginx: Ready to certificate", "%s", late.Round(time.Millisecond))
	if late > 3*time.Second {
		t.Errorf("the certificate came %s after Ready, want at most 3 s", late)
	}
	wantWhole(t, c, v1alpha1.OutcomeReady)
	wantOrder(t, c)
	wantSequence(t, c, map[string]*v1alpha1.Milestone{
		"1 sandboxStarted": c.Spec.Milestones.SandboxStarted, "2 created": milestonesOf(t, c, app).Created,
	})
	wantStory(t, c, "Kubelet CgroupCreated", "Runtime NetworkNamespaceCreated", "CNI PluginStarted", "CNI PluginExited",
		"Runtime RuntimeStarted (sandbox)", "Runtime CgroupCreated (sandbox)", "Workload EntrypointExec (sandbox)",
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
	first := compareSyscalls(t, c, lines, own)
	exec := momentOf(c, milestonesOf(t, c, app).EntrypointExec)
	if after := wall(first).Sub(exec); after < -time.Millisecond || after > 20*time.Millisecond {
		t.Errorf("by the kernel's trace the entrypoint's first system call came %s after entrypointExec", after)
	}
	compareCgroups(t, c, node, uid)
	compareNamespaces(t, c, node, uid)
	compareMounts(t, c, node, uid, lines)
	addBirthFigures(t, f, c)
}

// compareSyscalls holds the workload's own count against the trace's. The trace
// knows a process by the name that it has since its exec, which is where the
// workload's count begins; it ends with the certificate's window. It returns
// the time of the first system call.
func compareSyscalls(t *testing.T, c *v1alpha1.PodBirthCertificate, lines []traced, pids []int) time.Duration {
	t.Helper()
	counted := actorStats(c, v1alpha1.ActorWorkload, app)
	end := c.Spec.Origin.Time.Add(time.Duration(c.Spec.KernelStats.WindowMicroseconds) * time.Microsecond)
	within := func(l traced) bool { return !wall(l.time).After(end) }
	independent, first := of(lines, "sys_enter", pids, within)
	all, _ := of(lines, "sys_enter", pids, always)
	if independent == 0 || counted.Syscalls != independent || independent != all {
		t.Errorf("%s: %d system calls of the entrypoint, the kernel's trace has %d of processes %v in the certificate's window, and %d in all",
			c.Name, counted.Syscalls, independent, pids, all)
	}
	if counted.Processes != int64(len(pids)) || counted.Execs != 1 {
		t.Errorf("%s: %d processes and %d execs of the entrypoint, its cgroup has processes %v", c.Name, counted.Processes, counted.Execs, pids)
	}
	return first
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

// TestBirthByTheContainersOwnClock has a container tell the time first thing.
func TestBirthByTheContainersOwnClock(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("clock", shell("adjtimex; exec sleep 3600"))
	ready := s.ready(pod)
	c := s.certificate(pod).object
	wantHeard(t, c, v1alpha1.OutcomeReady)
	exec := momentOf(c, milestonesOf(t, c, app).EntrypointExec)

	words := map[string]int64{}
	text := s.logs(pod)
	for _, m := range clockWord.FindAllStringSubmatch(text, -1) {
		words[m[1]], _ = strconv.ParseInt(m[2], 10, 64)
	}
	if len(words) != 2 {
		t.Fatalf("the container did not tell the time: %s", text)
	}
	told := time.Unix(words["sec"], words["usec"]*1000)
	f.figures.add(t, "clock: entrypointExec to the container's own clock", "%s", told.Sub(exec))
	if after := told.Sub(exec); after < -time.Millisecond || after > time.Second {
		t.Errorf("the container's own clock first said %s, entrypointExec is %s", told, exec)
	}
	// The API has whole seconds.
	started := ready.object.Status.ContainerStatuses[0].State.Running.StartedAt
	if d := started.Sub(exec); d < -1100*time.Millisecond || d > 2*time.Second {
		t.Errorf("the API says started at %s, entrypointExec is %s", started, exec)
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
