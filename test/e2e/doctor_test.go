// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// outcome runs a program and returns its exit code and what it wrote.
func outcome(t *testing.T, program string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr strings.Builder
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	var ended *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	return command.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// TestDoctorOfTheCluster holds what kubectl gossip doctor says of this machine's node
// against what the kernel, the kubelet and the API server say of it.
func TestDoctorOfTheCluster(t *testing.T) {
	f := cluster(t)
	program := f.built(t, "kubectl-gossip")
	code, out, errs := outcome(t, program, "doctor", "-o", "json")
	var c doctor.Cluster
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v: exit code %d: %s%s", err, code, out, errs)
	}
	wantChecks(t, f, &c)
	nodes, err := f.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		i := slices.IndexFunc(nodes.Items, func(k corev1.Node) bool { return k.Name == n.Name })
		if i < 0 || n.Report == nil {
			t.Errorf("node %s: %s", n.Name, n.Problem)
			continue
		}
		info := nodes.Items[i].Status.NodeInfo
		r := n.Report
		if r.Kernel.Release != info.KernelVersion || r.Kernel.Architecture != info.Architecture || n.Runtime != info.ContainerRuntimeVersion || r.Node != n.Name {
			t.Errorf("node %s: %+v, runtime %s; the kubelet says %+v", n.Name, r.Kernel, n.Runtime, info)
		}
		for _, runtime := range r.Runtimes {
			if !strings.HasPrefix(info.ContainerRuntimeVersion, runtime.Name+"://") {
				t.Errorf("node %s: the observer recognized %+v; the kubelet says %s", n.Name, runtime, info.ContainerRuntimeVersion)
			}
		}
		if driver := f.cgroupDriver(t, n.Name); doctor.Names(r.Cgroup.Drivers) != driver {
			t.Errorf("node %s: drivers %+v; the kubelet's is %s", n.Name, r.Cgroup.Drivers, driver)
		}
		t.Logf("node %s: %s, %+v, %d pods, %d containers", n.Name, r.Verdict, r.Cgroup.Drivers, r.Cgroup.Pods, r.Cgroup.Containers)
		if f.node != nil && f.node.name == n.Name {
			wantReport(t, f, r, n.Pod)
		}
	}
	if want := c.Verdict.ExitCode(); code != want && !c.Broken() {
		t.Errorf("exit code %d with verdict %s", code, c.Verdict)
	}
	code, out, errs = outcome(t, program, "doctor")
	if code != c.Verdict.ExitCode() || !strings.Contains(out, fmt.Sprintf("of %d node", len(c.Nodes))) {
		t.Errorf("exit code %d:\n%s%s", code, out, errs)
	}
	t.Logf("\n%s", out)
}

// wantChecks fails unless the installation was found as it is.
func wantChecks(t *testing.T, f *fixture, c *doctor.Cluster) {
	t.Helper()
	want := map[string]doctor.State{"resources": doctor.OK, "observers": doctor.OK, "nodes": doctor.OK, "operator": doctor.OK,
		"admission": doctor.OK, "metrics": doctor.Note, "your rights": doctor.OK}
	if metricsServed(t, f) {
		want["metrics"] = doctor.OK
	}
	got := map[string]doctor.State{}
	for _, k := range c.Checks {
		got[k.Name] = k.State
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("checks %+v, want %v", c.Checks, want)
	}
}

// cgroupDriver is that of a node's kubelet, by its own configuration.
func (f *fixture) cgroupDriver(t *testing.T, node string) string {
	t.Helper()
	raw, err := f.kube.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes", node, "proxy/configz").Do(t.Context()).Raw()
	if err != nil {
		t.Fatalf("read the kubelet's configuration: %v", err)
	}
	var config struct {
		Kubelet struct {
			CgroupDriver string `json:"cgroupDriver"`
		} `json:"kubeletconfig"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatalf("read the kubelet's configuration: %v", err)
	}
	return config.Kubelet.CgroupDriver
}

// wantReport holds an observer's report against its own process on this machine.
func wantReport(t *testing.T, f *fixture, r *doctor.Report, name string) {
	t.Helper()
	pod, err := f.kube.CoreV1().Pods(installed).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status := pod.Status.ContainerStatuses[0]
	pids := f.node.processes(t, f.node.container(t, string(pod.UID), afterScheme(status.ContainerID)))
	if len(pids) != 1 {
		t.Fatalf("the observer's processes are %v", pids)
	}
	wantPermissions(t, &r.Permissions, pids[0])
	wantLinks(t, r.Hooks, pids[0])
	if v2 := r.Cgroup.CPU == doctor.V2; v2 != f.node.unified {
		t.Errorf("the cpu controller is in %s; cgroup v2: %v", r.Cgroup.CPU, f.node.unified)
	}
	if _, err := os.Stat(doctor.KernelBTFFile); (err == nil) != (r.BTF.Source == doctor.KernelBTF) {
		t.Errorf("BTF %+v; %v", r.BTF, err)
	}
	_, err = os.ReadFile("/proc/pressure/cpu")
	if r.PSI != (err == nil) {
		t.Errorf("PSI %v; %v", r.PSI, err)
	}
	if started := status.State.Running.StartedAt; r.Observer == nil || r.Observer.Since.Before(started.Time) || r.Observer.Since.After(started.Add(patience)) {
		t.Errorf("the observer says %+v; its container started %s", r.Observer, started)
	}
	// The observer's and the operator's pods are there, each with its sandbox.
	if r.Cgroup.Pods < 2 || r.Cgroup.Containers < 2*2 {
		t.Errorf("%d pods and %d containers", r.Cgroup.Pods, r.Cgroup.Containers)
	}
	wantSamePlan(t, f, r.Hooks)
}

// wantPermissions compares with what the kernel says of the process.
func wantPermissions(t *testing.T, p *doctor.Permissions, pid int) {
	t.Helper()
	said := map[string]string{}
	for line := range strings.Lines(readFile(t, procFile(pid, "status"))) {
		key, value, _ := strings.Cut(line, ":")
		said[key] = strings.TrimSpace(value)
	}
	effective, err := strconv.ParseUint(said["CapEff"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	bits := map[string]int{"CAP_SYS_ADMIN": 21, "CAP_SYS_RESOURCE": 24, "CAP_PERFMON": 38, "CAP_BPF": 39}
	if len(p.Capabilities) != len(bits) {
		t.Errorf("capabilities %+v", p.Capabilities)
	}
	for _, c := range p.Capabilities {
		if has := effective>>bits[c.Name]&1 == 1; c.Effective != has {
			t.Errorf("%s %v; CapEff %s", c.Name, c.Effective, said["CapEff"])
		}
	}
	if want := map[string]string{"0": "Off", "1": "Strict", "2": "Filter"}[said["Seccomp"]]; p.Seccomp != want {
		t.Errorf("seccomp %s; the kernel says %s", p.Seccomp, said["Seccomp"])
	}
	if user := strings.Fields(said["Uid"])[1]; p.User == nil || strconv.Itoa(*p.User) != user {
		t.Errorf("user %v; the kernel says %s", p.User, user)
	}
}

// wantLinks compares the plan with the links of BPF that the process holds: those of
// hooks that are heard always.
func wantLinks(t *testing.T, plan hooks.Plan, pid int) {
	t.Helper()
	// Types of programs, include/uapi/linux/bpf.h.
	ways := map[string]hooks.Way{"17": hooks.Raw, "26": hooks.Typed, "5": hooks.Tracepoint}
	programs, links := map[string]hooks.Way{}, map[string]string{} // by program, and by tracepoint
	files, err := filepath.Glob(procFile(pid, "fdinfo/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // closed meanwhile
		}
		facts := map[string]string{}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			facts[key] = strings.TrimSpace(value)
		}
		if way, ok := ways[facts["prog_type"]]; ok {
			programs[facts["prog_id"]] = way
		}
		if name := facts["tp_name"]; name != "" {
			links[name] = facts["prog_id"]
		}
	}
	for _, h := range []hooks.Hook{hooks.CgroupMkdir, hooks.CgroupRmdir, hooks.CgroupAttach, hooks.Fork, hooks.Exec, hooks.Exit, hooks.MarkVictim} {
		want := plan.Way(h)
		if got := programs[links[string(h)]]; (want == hooks.Raw || want == hooks.Typed) && got != want {
			t.Errorf("%s is said to be heard by %s; of the process' links it is %q (%v, %v)", h, want, got, links, programs)
		}
	}
}

// wantSamePlan has the doctor on the machine itself find what the observer in its pod
// found.
func wantSamePlan(t *testing.T, f *fixture, plan hooks.Plan) {
	t.Helper()
	code, out, errs := outcome(t, f.built(t, "kernel-observer"), "doctor", "-o", "json")
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("kernel-observer doctor: %v: exit code %d: %s%s", err, code, out, errs)
	}
	if code != r.Verdict.ExitCode() {
		t.Errorf("exit code %d with verdict %s", code, r.Verdict)
	}
	for _, c := range r.Hooks {
		if way := plan.Way(c.Hook); way != c.Way {
			t.Errorf("%s: %s in the pod, %s on the machine (%+v)", c.Hook, way, c.Way, c.Refused)
		}
	}
}

// TestDoctorsRights has somebody ask who has nothing, and then the two roles of
// k8s/22-rbac-people.yaml.
func TestDoctorsRights(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	program := f.built(t, "kubectl-gossip")
	who := fmt.Sprintf("doctor-%d", time.Now().UnixNano())
	if code, _, errs := outcome(t, program, "doctor", "--as", who); code != 1 || !strings.Contains(errs, "forbidden") {
		t.Errorf("without rights: exit code %d: %s", code, errs)
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: who}}
	role := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: "kernel-gossip-doctor"}
	}
	meta := metav1.ObjectMeta{Name: who}
	for _, o := range []client.Object{
		&rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: role("ClusterRole")},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: who, Namespace: installed}, Subjects: subjects, RoleRef: role("Role")},
	} {
		if err := f.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.client.Delete(context.Background(), o) })
	}
	var code int
	var out, errs string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		// The API server learns of bindings a moment later.
		if code, out, errs = outcome(t, program, "doctor", "--as", who, "-o", "json"); code == 0 {
			break
		}
	}
	var c doctor.Cluster
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v: exit code %d: %s%s", err, code, out, errs)
	}
	wantChecks(t, f, &c)
	if code != 0 {
		t.Errorf("with both roles: exit code %d: %s%s", code, out, errs)
	}
}
