// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// node of a cluster; names taken away make it worse.
func node(t *testing.T, name string, without ...string) Node {
	t.Helper()
	w, err := hooks.ParseWithout(without)
	if err != nil {
		t.Fatal(err)
	}
	f := healthy()
	r := &Report{Node: name, Facts: f, Hooks: hooks.Choose(hooks.Offer{}, w), Without: without}
	r.Diagnose()
	return Node{Name: name, Pod: "kernel-observer-" + name, Runtime: "containerd://2.3.7", Report: r}
}

func TestBigClustersAreGrouped(t *testing.T) {
	c := &Cluster{}
	for i := range 5000 {
		c.Nodes = append(c.Nodes, node(t, fmt.Sprintf("n%04d", i)))
	}
	for i := range 7 {
		c.Nodes = append(c.Nodes, node(t, fmt.Sprintf("old%d", i), "test_run"))
	}
	c.Nodes = append(c.Nodes, node(t, "floor", "bpf"), Node{Name: "away", Kernel: "6.1.0", Problem: "no observer runs on it"})
	c.Diagnose()
	if c.Verdict != Floor || c.Kind != ClusterKind || c.Nodes[0].Name != "away" {
		t.Errorf("verdict %s, first node %s", c.Verdict, c.Nodes[0].Name)
	}
	var got []string
	for _, g := range c.Groups() {
		got = append(got, fmt.Sprintf("%d like %s", g.Count, g.Example.Name))
	}
	want := []string{"1 like away", "1 like floor", "7 like old0", "5000 like n0000"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("groups %q, want %q", got, want)
	}
	if a := c.Ailing(); len(a) != 9 || a[0].Name != "away" || a[1].Name != "floor" || a[8].Name != "old6" {
		t.Errorf("%d are ailing, %s first", len(a), a[0].Name)
	}
	if n := c.Counts(); n[Full] != 5000 || n[Degraded] != 7 || n[Floor] != 1 || n[""] != 1 {
		t.Errorf("counts %v", n)
	}
	if !c.Broken() {
		t.Error("a node without a report is not broken")
	}
}

func TestBroken(t *testing.T) {
	c := &Cluster{Nodes: []Node{node(t, "a", "bpf")}, Checks: []Check{{State: OK}, {State: Note}, {State: Unknown}}}
	c.Diagnose()
	if c.Broken() || c.Verdict != Floor {
		t.Error("what kernels lack is no fault")
	}
	c.Checks = append(c.Checks, Check{State: Failed})
	if !c.Broken() {
		t.Error("a check that failed is none")
	}
	if (&Cluster{}).Broken() {
		t.Error("an empty cluster is broken")
	}
}
