// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// rests are measured at most until nothing disturbed one.
const rests = 5

// TestAtRest measures what both components take while nothing is born and
// nobody suffers: no test's pod is left, and no birth is heard. Who keeps this machine's
// CPUs busy may have the observer look at who waits for them.
func TestAtRest(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	f.alone(t)
	for n := 1; ; n++ {
		// A birth that nobody named (test/bpf makes such) is forgotten after a minute.
		within(t, 2*patience, "the observer at rest", func() bool {
			time.Sleep(time.Second) // answering costs it CPU time
			told := f.observerMetrics(t)
			return told["births_open"] == 0 && told["syscalls_heard"] == 0
		})
		disturbed := f.measureAtRest(t, node)
		if disturbed == "" {
			return
		}
		if n == rests {
			t.Fatalf("it was not at rest: %s", disturbed)
		}
		t.Logf("measured again: %s", disturbed)
	}
}

// measureAtRest says what disturbed the measurement, or adds its figures.
func (f *fixture) measureAtRest(t *testing.T, node *localNode) (disturbed string) {
	t.Helper()
	const measured = 10 * time.Second
	pods, cgroups, before := map[string]*corev1.Pod{}, map[string]string{}, map[string]bandwidth{}
	told, began := f.observerMetrics(t), time.Now()
	for _, name := range []string{"kernel-observer", "operator"} {
		pod := f.component(t.Context(), t, name)
		if pod == nil {
			t.Fatalf("no %s is ready: run make deploy", name)
		}
		pods[name] = pod
		cgroups[name] = node.container(t, string(pod.UID), afterScheme(pod.Status.ContainerStatuses[0].ContainerID))
		before[name] = mustBandwidth(t, node, cgroups[name])
	}
	<-time.After(measured)
	after := map[string]bandwidth{}
	for name, cgroup := range cgroups {
		after[name] = mustBandwidth(t, node, cgroup)
	}
	took := time.Since(began)
	for name, now := range f.observerMetrics(t) {
		if strings.HasPrefix(name, "births_") && now != told[name] {
			return fmt.Sprintf("%s went from %g to %g", name, told[name], now)
		}
	}
	for name, cgroup := range cgroups {
		memory, err := node.workingSet(cgroup)
		if err != nil {
			t.Fatal(err)
		}
		f.figures.add(t, name+" at rest", "%.1f MiB, %.1f millicores over %s", float64(memory)/(1<<20),
			1000*float64(after[name].usage-before[name].usage)/float64(took), took.Round(time.Second))
		if limit := pods[name].Spec.Containers[0].Resources.Limits.Memory().Value(); int64(memory) > limit/2 {
			t.Errorf("%s takes %d bytes of memory at rest, over half of its limit %d", name, memory, limit)
		}
	}
	return ""
}

// observerMetrics are the observer's own figures, by name and labels, without their
// prefix.
func (f *fixture) observerMetrics(t *testing.T) map[string]float64 {
	t.Helper()
	const prefix = "kernel_gossip_observer_"
	pod := f.component(t.Context(), t, "kernel-observer")
	if pod == nil {
		t.Fatal("no kernel-observer is ready: run make deploy")
	}
	raw, err := f.kube.CoreV1().RESTClient().Get().
		AbsPath("/api/v1/namespaces", pod.Namespace, "pods", pod.Name+":9464", "proxy/metrics").Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("read the observer's metrics: %v", err)
	}
	told := map[string]float64{}
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if at := strings.LastIndex(line, " "); at >= 0 && strings.HasPrefix(line, prefix) {
			told[strings.TrimPrefix(line[:at], prefix)] = parse(t, line[at+1:])
		}
	}
	if _, known := told["syscalls_heard"]; !known {
		t.Fatalf("the observer's metrics do not say whether system calls are heard: %s", raw)
	}
	return told
}

func mustBandwidth(t *testing.T, node *localNode, cgroup string) bandwidth {
	t.Helper()
	b, err := node.bandwidth(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLeastPrivilege reads what the running pods were granted.
func TestLeastPrivilege(t *testing.T) {
	f := cluster(t)
	type grant struct {
		capabilities []corev1.Capability
		mounts       []string
	}
	for name, may := range map[string]grant{
		"kernel-observer": {[]corev1.Capability{"BPF", "PERFMON"}, []string{"/sys/fs/cgroup", "/sys/kernel/tracing"}},
		"operator":        {},
	} {
		pod := f.component(t.Context(), t, name)
		if pod == nil {
			t.Fatalf("no %s is ready: run make deploy", name)
		}
		spec, c := pod.Spec, pod.Spec.Containers[0]
		if spec.HostPID || spec.HostIPC || spec.HostNetwork || len(spec.Containers) != 1 || len(spec.InitContainers) != 0 {
			t.Errorf("%s: host namespaces or further containers: %+v", name, spec)
		}
		var mounts []string
		for _, v := range spec.Volumes {
			if v.HostPath == nil {
				continue
			}
			mounts = append(mounts, v.HostPath.Path)
			if i := slices.IndexFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name }); i < 0 || !c.VolumeMounts[i].ReadOnly {
				t.Errorf("%s may write to the node's %s, or does not see it", name, v.HostPath.Path)
			}
		}
		if slices.Sort(mounts); !slices.Equal(mounts, may.mounts) {
			t.Errorf("%s mounts the node's %q, want %q", name, mounts, may.mounts)
		}
		s := c.SecurityContext
		if s == nil || s.Privileged != nil && *s.Privileged || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.Capabilities == nil {
			t.Fatalf("%s: security context %+v", name, s)
		}
		slices.Sort(s.Capabilities.Add)
		if !slices.Equal(s.Capabilities.Add, may.capabilities) || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: capabilities %+v, want all dropped and %q added", name, s.Capabilities, may.capabilities)
		}
		if f.node != nil {
			wantEffective(t, f.node, pod, name)
		}
	}
}

// wantEffective asks the kernel what the process may do: of capabilities only
// PERFMON (38) and BPF (39).
func wantEffective(t *testing.T, node *localNode, pod *corev1.Pod, name string) {
	t.Helper()
	want := map[string]string{"kernel-observer": "000000c000000000", "operator": "0000000000000000"}[name]
	cgroup := node.container(t, string(pod.UID), afterScheme(pod.Status.ContainerStatuses[0].ContainerID))
	for _, pid := range node.processes(t, cgroup) {
		if got := statusLine(t, pid, "CapEff"); got != want {
			t.Errorf("%s: the kernel grants process %d capabilities %s, want %s", name, pid, got, want)
		}
		// Each hierarchy of cgroup v1 is a mount of its own below that of /sys/fs/cgroup.
		for line := range strings.Lines(readFile(t, procFile(pid, "mountinfo"))) {
			f := strings.Fields(line)
			if strings.HasPrefix(f[4], "/host/") && !strings.HasPrefix(f[5], "ro,") {
				t.Errorf("%s may write to %s: %s", name, f[4], f[5])
			}
		}
	}
}

func statusLine(t *testing.T, pid int, key string) string {
	t.Helper()
	for line := range strings.Lines(readFile(t, procFile(pid, "status"))) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("process %d has no %s", pid, key)
	return ""
}
