// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// report reads one of testdata: what the doctor said of a machine with Linux 6.12,
// with things taken away.
func report(t *testing.T, name string) *doctor.Report {
	t.Helper()
	raw, err := os.ReadFile("testdata/doctor-" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	r := &doctor.Report{}
	if err := json.Unmarshal(raw, r); err != nil {
		t.Fatal(err)
	}
	// Sentences that have changed since are judged anew.
	r.Diagnose()
	return r
}

// listening is what an observer says of itself.
func listening(t *testing.T) *doctor.Report {
	t.Helper()
	r := report(t, "no-cgroup-tracepoints")
	r.Observer = &doctor.Observer{
		Version: "v0.5.0", Since: time.Date(2026, 11, 25, 22, 0, 0, 0, time.UTC), Cgroups: 1234,
		Lost: map[string]uint64{"events": 12345, "sessions": 0, "skipped": 7},
	}
	r.Permissions.Lockdown, r.Permissions.Seccomp = "", "Filter"
	r.Cgroup.Pods, r.Cgroup.Containers = 1, 2
	r.Cgroup.Drivers = []doctor.Sign{{Name: "systemd", By: "cgroups podUID.slice"}}
	r.Runtimes = []doctor.Sign{{Name: "containerd", By: "cgroups cri-containerd"}}
	return r
}

func TestNode(t *testing.T) {
	for _, tt := range []struct {
		name     string
		report   *doctor.Report
		terminal Terminal
	}{
		{"full-piped", report(t, "full"), Terminal{}},
		{"full-80", report(t, "full"), Terminal{Width: 80}},
		{"floor-80", report(t, "no-bpf"), Terminal{Width: 80}},
		{"floor-200", report(t, "no-bpf"), Terminal{Width: 200}},
		{"raw-100-color", report(t, "no-raw"), Terminal{Width: 100, Color: true}},
		{"listening-100", listening(t), Terminal{Width: 100}},
		{"listening-60", listening(t), Terminal{Width: 60}},
	} {
		var out bytes.Buffer
		if err := Node(&out, tt.report, tt.terminal); err != nil {
			t.Fatal(err)
		}
		checkLines(t, out.String(), tt.terminal)
		golden(t, "testdata/node-"+tt.name+".golden", out.Bytes())
	}
}

// nodesOf is a cluster of so many nodes that hear everything, and some that do not.
func nodesOf(t *testing.T, many int) *doctor.Cluster {
	t.Helper()
	c := &doctor.Cluster{Checks: []doctor.Check{
		{Name: "resources", State: doctor.OK, Says: "podbirthcertificates and kernelwhispers of kernel-gossip.io/v1alpha1"},
		{Name: "nodes", State: doctor.Failed, Says: "1 of 8 with Linux have no observer: bare", Mend: "kubectl describe daemonset/kernel-observer -n kernel-gossip: its nodeSelector or affinity leaves them out, or no pod could be made"},
		{Name: "metrics", State: doctor.Note, Says: "metrics.k8s.io is not served: whispers compare with an average of their own", Mend: "install metrics-server"},
		{Name: "your rights", State: doctor.Unknown, Says: "you may not read them"},
	}}
	add := func(name, problem string, r *doctor.Report) {
		n := doctor.Node{Name: name, Problem: problem, Report: r, Kernel: "6.12.117+deb13-cloud-amd64", Architecture: "amd64", Runtime: "containerd://2.3.7"}
		if r != nil {
			n.Pod, r.Node = "kernel-observer-"+name, name
		}
		c.Nodes = append(c.Nodes, n)
	}
	for i := range many {
		add(fmt.Sprintf("worker-%d", i), "", report(t, "full"))
	}
	add("gke-1", "", listening(t))
	add("gke-2", "", listening(t))
	add("floor", "", report(t, "no-bpf"))
	add("bare", "no observer runs on it", nil)
	add("silent", "its observer does not answer within 5 s", nil)
	c.Diagnose()
	return c
}

func TestCluster(t *testing.T) {
	small, big := nodesOf(t, 3), nodesOf(t, 200)
	well := &doctor.Cluster{Checks: small.Checks[:1], Nodes: small.Nodes[len(small.Nodes)-1:]}
	well.Diagnose()
	for _, tt := range []struct {
		name     string
		cluster  *doctor.Cluster
		terminal Terminal
		wide     bool
	}{
		{"small-80", small, Terminal{Width: 80}, false},
		{"small-200-color", small, Terminal{Width: 200, Color: true}, false},
		{"small-wide-piped", small, Terminal{}, true},
		{"big-100", big, Terminal{Width: 100}, false},
		{"big-200", big, Terminal{Width: 200}, false},
		{"well-80", well, Terminal{Width: 80}, false},
		{"empty-80", &doctor.Cluster{Checks: small.Checks[1:2]}, Terminal{Width: 80}, false},
	} {
		var out bytes.Buffer
		if err := Cluster(&out, tt.cluster, tt.terminal, tt.wide); err != nil {
			t.Fatal(err)
		}
		checkLines(t, out.String(), tt.terminal)
		golden(t, "testdata/cluster-"+tt.name+".golden", out.Bytes())
	}
}

// TestHostileReports has an observer that was taken over tell what breaks a terminal.
func TestHostileReports(t *testing.T) {
	const evil = "a\x1b[31m\u009b2J\r\n\t\u202eevil\x00\u2028"
	r := listening(t)
	r.Node, r.Kernel.Release, r.Kernel.Architecture, r.BTF.File, r.Observer.Version = evil, evil, evil, evil, evil
	r.Permissions.Lockdown, r.Permissions.Seccomp, r.Permissions.LockedMemory = evil, evil, evil
	r.Permissions.Capabilities[0].Name = evil
	r.Cgroup.Mount, r.Cgroup.Drivers[0].Name, r.Runtimes[0].By = evil, evil, evil
	r.Observer.Lost[evil] = 3
	r.Verdict, r.Without = doctor.Verdict(evil), []string{evil}
	r.Hooks[0] = hooks.Choice{Hook: evil, Hears: evil, Way: evil, Loses: evil, Refused: []hooks.Refusal{{Way: evil, Why: evil}}}
	r.Mends = []doctor.Mend{{Do: evil, Hooks: []hooks.Hook{evil}}}
	n := doctor.Node{Name: evil, Problem: evil, Kernel: evil, Architecture: evil, Runtime: evil, Pod: evil}
	with := n
	with.Report = r
	c := &doctor.Cluster{Nodes: []doctor.Node{n, with}, Checks: []doctor.Check{{Name: evil, State: evil, Says: evil, Mend: evil}}}
	var out bytes.Buffer
	for _, err := range []error{
		Node(&out, r, Terminal{}), NodeOf(&out, &n, Terminal{}), NodeOf(&out, &with, Terminal{}),
		Cluster(&out, c, Terminal{}, true), Cluster(&out, c, Terminal{Width: 80}, false),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\r\t\x00\u202e\u2028") {
		t.Errorf("something breaks out: %q", out.String())
	}
}
