// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// emulated is how long a birth may take in an emulated machine: seconds where nobody
// else uses the processors, and minutes where others do.
const emulated = 8 * time.Minute

// birthThere is a kind of pod on a node in a virtual machine.
type birthThere struct {
	name    string
	runtime string // runc is the node's default, crun a RuntimeClass
	changes []change
	execs   int64 // of the workload
}

// birthsThere is how many births of a kind there may be until one has lost no run of a
// program: Linux 7 leaves runs out while it has preempted the program, and how many
// depends on how busy the machine below is.
const birthsThere = 8

// TestVM holds births on nodes with cgroup v2 and two runtimes against what
// these are known to do. KG_VM_NODES names the nodes, separated by commas.
func TestVM(t *testing.T) {
	f := cluster(t)
	nodes := os.Getenv("KG_VM_NODES")
	if nodes == "" {
		t.Skip("KG_VM_NODES names no node with runc and crun; make node-vm-up brings one up")
	}
	births := []birthThere{
		{"runc-nginx", "runc", []change{probed}, 1},
		{"crun-nginx", "crun", []change{probed}, 1},
		{"crun-shell", "crun", []change{shell("/bin/busybox cat /proc/self/cgroup; exec sleep 3600")}, 3},
	}
	for node := range strings.SplitSeq(nodes, ",") {
		t.Run(node, func(t *testing.T) {
			kernel := kernelOf(t, f, node)
			t.Run("throttled", func(t *testing.T) { throttledThere(t, newScene(t, f), node) })
			for _, b := range births {
				t.Run(b.name, func(t *testing.T) { bornThere(t, newScene(t, f), node, kernel, b) })
			}
		})
	}
}

func kernelOf(t *testing.T, f *fixture, name string) string {
	t.Helper()
	node := &corev1.Node{}
	if err := f.client.Get(t.Context(), client.ObjectKey{Name: name}, node); err != nil {
		t.Fatal(err)
	}
	info := node.Status.NodeInfo
	t.Logf("%s: Linux %s on %s", name, info.KernelVersion, info.OSImage)
	return info.KernelVersion
}

// throttledThere has a loop run into its limit on cgroup v2 that tells its own
// cpu.stat meanwhile.
func throttledThere(t *testing.T, s *scene, node string) {
	pod := s.create("loop", shell(tellsItself), cpuLimit("100m"), on(node, "runc"))
	throttledOf(t, s, pod)
}

// throttledOf holds the whisper about a pod that tells itself against what it tells.
func throttledOf(t *testing.T, s *scene, pod *corev1.Pod) {
	t.Helper()
	w := s.whisper(pod, "with its bursts, judged", emulated, func(w *v1alpha1.KernelWhisper) bool {
		return throttled(w) && w.Spec.Bursts != nil && judged(w)
	}).object
	truth := w.Spec.KernelTruth
	from, to := window(w)
	begun, over := recording(w)
	samples := s.toldBy(pod, latest(to, over))
	own := mustGrow(t, samples, app, from, to)
	t.Logf("%s: %s %% of %d periods at the %s, used %dm; cpu.stat of the container says %s %% of %s, %s ns; %s", w.Status.Severity, truth.ThrottledPercent,
		truth.Periods, truth.ThrottledAt, truth.UsageMillicores, own.percent(), own.periods, own.usage, w.Status.Insight)
	if truth.QuotaMicroseconds != 10_000 || truth.PeriodMicroseconds != 100_000 {
		t.Errorf("quota %d µs per %d µs, want what 100m makes", truth.QuotaMicroseconds, truth.PeriodMicroseconds)
	}
	if truth.ThrottledPeriods == 0 {
		t.Errorf("a loop is throttled in none of %d periods", truth.Periods)
	}
	// From within the container's file is seen, and not the pod's.
	if truth.ThrottledAt == v1alpha1.ThrottledAtContainer {
		if what := own.differs(truth); what != "" {
			t.Error(what)
		}
		wantPercent(t, truth, own)
	}
	compareUsage(t, truth, own)
	if !own.witnessed() {
		t.Logf("no reading of %d lay close to the window's ends", len(samples.readings[app]))
	}
	compareBursts(t, w, mustGrow(t, samples, app, begun, over))
	if w.Status.Severity != v1alpha1.SeverityInfo {
		t.Errorf("severity %s of a loop that nobody waits for", w.Status.Severity)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// probed has the kubelet ask nginx before it calls the pod Ready.
func probed(p *corev1.Pod) {
	p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(80)}}, PeriodSeconds: 1, TimeoutSeconds: 10,
	}
}

// on puts the pod on the node, past the scheduler, with this runtime.
func on(node, runtime string) change {
	return func(p *corev1.Pod) {
		p.Spec.NodeName, p.Spec.NodeSelector = node, nil
		if runtime != "runc" {
			p.Spec.RuntimeClassName = &runtime
		}
	}
}

// bornThere has pods born until one birth lost nothing, which on most kernels is the
// first, and holds that one against what is known of it.
func bornThere(t *testing.T, s *scene, node, kernel string, b birthThere) {
	pod, c := birthThereOf(t, s, node, b, b.name)
	for i := 2; i <= birthsThere && leftOut(t, kernel, c); i++ {
		pod, c = birthThereOf(t, s, node, b, fmt.Sprintf("%s-%d", b.name, i))
	}
	wantBorn(t, s, node, b, pod, c)
}

func birthThereOf(t *testing.T, s *scene, node string, b birthThere, name string) (*corev1.Pod, *v1alpha1.PodBirthCertificate) {
	t.Helper()
	pod := s.create(name, append(slices.Clip(b.changes), on(node, b.runtime))...)
	s.pods.await(t, name+" Ready", emulated, func(seen sighting[*corev1.Pod]) bool { return isReady(seen.object) })
	// An emulated node takes longer than the 30 s after which a birth is told as it stands.
	c := s.certificates.await(t, "about "+name, emulated, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.UID == string(pod.UID) && !seen.object.Spec.UnderWay && !awaitsImages(seen.object)
	}).object
	t.Logf("%s: %s with %d system calls, complete %t, lost %v", name, c.Spec.Duration, c.Spec.KernelStats.TotalSyscalls, c.Spec.Complete, c.Spec.Coverage.Lost)
	return pod, c
}

// leftOut is true of a birth that lost runs of programs, and nothing else, on a kernel
// that is known to leave them out. Its certificate has to say so.
func leftOut(t *testing.T, kernel string, c *v1alpha1.PodBirthCertificate) bool {
	t.Helper()
	lost := c.Spec.Coverage.Lost
	if !strings.HasPrefix(kernel, "7.") || len(lost) != 1 || lost[0].Reason != v1alpha1.LossProgramSkipped {
		return false
	}
	said := fmt.Sprintf("%d events were lost on the node while this birth lasted", lost[0].Count)
	if c.Spec.Complete || c.Spec.Coverage.LostEvents != lost[0].Count || !slices.Contains(c.Spec.Coverage.Missing, said) {
		t.Errorf("certificate %s: complete %t, lost %d of %v, missing %q; want it to say what was lost", c.Name,
			c.Spec.Complete, c.Spec.Coverage.LostEvents, lost, c.Spec.Coverage.Missing)
	}
	return true
}

func wantBorn(t *testing.T, s *scene, node string, b birthThere, pod *corev1.Pod, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	wantHeard(t, c, v1alpha1.OutcomeReady)
	if c.Spec.NodeName != node || c.Spec.Runtime != "containerd" {
		t.Errorf("nodeName %q and runtime %q, want %s and containerd", c.Spec.NodeName, c.Spec.Runtime, node)
	}
	wantStory(t, c, "Kubelet CgroupCreated", "Runtime NetworkNamespaceCreated", "CNI PluginStarted", "CNI PluginExited",
		"Runtime RuntimeStarted (sandbox)", "Runtime RuntimeStarted app", "Runtime RootChanged app", "Workload EntrypointExec app")
	wantTold(t, c, "Workload EntrypointExec (sandbox)")
	wantRuntime(t, c, b.runtime)
	if a := actorStats(c, v1alpha1.ActorWorkload, app); a.Execs != b.execs || a.Syscalls == 0 {
		t.Errorf("%+v of the workload, want %d execs", a, b.execs)
	}
	own := milestonesOf(t, c, app)
	order := map[string]*v1alpha1.Milestone{"1 networkReady": c.Spec.Milestones.NetworkReady, "2 created": own.Created, "3 entrypointExec": own.EntrypointExec}
	if pod.Spec.Containers[0].ReadinessProbe != nil {
		order["4 firstListen"], order["5 ready"] = own.FirstListen, c.Spec.Milestones.Ready
	}
	wantSequence(t, c, order)
	wantSequence(t, c, map[string]*v1alpha1.Milestone{"1 networkReady": c.Spec.Milestones.NetworkReady, "2 sandboxStarted": c.Spec.Milestones.SandboxStarted})
	wantSequence(t, c, map[string]*v1alpha1.Milestone{"1 created": own.Created, "2 ready": c.Spec.Milestones.Ready})
	if n := c.Spec.KernelStats; n.CgroupsCreated != 3 || n.NamespacesCreated == nil || n.NamespacesCreated.Network != 1 || n.NamespacesCreated.PID != 2 {
		t.Errorf("%d cgroups and namespaces %+v created; want 3 cgroups, one network and two PID namespaces", n.CgroupsCreated, n.NamespacesCreated)
	}
	wantUnified(t, s, c, pod)
}

// wantRuntime fails unless all that was started for the pod's containers is this runtime.
func wantRuntime(t *testing.T, c *v1alpha1.PodBirthCertificate, runtime string) {
	t.Helper()
	started := details(c, "RuntimeStarted")
	others := slices.ContainsFunc(started, func(detail string) bool { return !strings.HasPrefix(detail, runtime+" ") })
	if len(started) < 4 || others {
		t.Errorf("certificate %s: started %q, want create and start of %s for the sandbox and the container", c.Name, started, runtime)
	}
}

// wantUnified fails unless the pod's cgroup is where the node's driver puts it,
// and the container itself sees one hierarchy.
func wantUnified(t *testing.T, s *scene, c *v1alpha1.PodBirthCertificate, pod *corev1.Pod) {
	t.Helper()
	uid := string(pod.UID)
	forms := []string{"pod" + uid, "-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"}
	made := details(c, "CgroupCreated")
	if len(made) == 0 || !strings.HasSuffix(made[0], forms[0]) && !strings.HasSuffix(made[0], forms[1]) {
		t.Errorf("certificate %s: cgroups %q, want the first to end in one of %q", c.Name, made, forms)
	}
	if pod.Spec.Containers[0].Command == nil {
		return
	}
	if seen := s.logs(pod); seen != "0::/" {
		t.Errorf("%s sees the cgroups %q, want the one of cgroup v2", client.ObjectKeyFromObject(pod), seen)
	}
}
