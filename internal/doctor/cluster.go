// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cluster is what is known of a cluster.
type Cluster struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Time       time.Time `json:"time"`
	// Verdict is the worst of the nodes that answered; empty where none did.
	Verdict Verdict `json:"verdict,omitempty"`
	Checks  []Check `json:"checks"`
	Nodes   []Node  `json:"nodes"`
}

// Node is one node of a cluster and what its observer says.
type Node struct {
	Name string `json:"name"`
	// Pod of the observer; empty where there is none.
	Pod string `json:"pod,omitempty"`
	// Kernel, Architecture and Runtime are what the kubelet says of the node; empty
	// where the caller may not read nodes.
	Kernel       string `json:"kernelVersion,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	Runtime      string `json:"containerRuntimeVersion,omitempty"`
	// Problem is why there is no report.
	Problem string  `json:"problem,omitempty"`
	Report  *Report `json:"report,omitempty"`
}

// State of a check.
type State string

// The states, best first.
const (
	OK      State = "OK"
	Note    State = "Note" // works, and could be better
	Unknown State = "Unknown"
	Failed  State = "Failed"
)

// Check is one thing that has to be right in a cluster.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Says  string `json:"says"`
	// Mend is what to do about it.
	Mend string `json:"mend,omitempty"`
}

// Diagnose completes a cluster's report.
func (c *Cluster) Diagnose() {
	c.APIVersion, c.Kind = APIVersion, ClusterKind
	slices.SortFunc(c.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	var all []Verdict
	for _, n := range c.Nodes {
		if n.Report != nil {
			all = append(all, n.Report.Verdict)
		}
	}
	c.Verdict = Worst(all...)
}

// Broken is true where something does not work, apart from what kernels lack: a
// check that failed, or a node that is not heard.
func (c *Cluster) Broken() bool {
	return slices.ContainsFunc(c.Checks, func(k Check) bool { return k.State == Failed }) ||
		slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.Report == nil })
}

// Alike are nodes of which the same is to be said.
type Alike struct {
	Count int
	// Example is the first of them.
	Example *Node
}

// Groups puts alike nodes together: those that are best off last, and of those
// alike the most frequent first.
func (c *Cluster) Groups() []Alike {
	byKey := map[string]int{}
	var out []Alike
	for i := range c.Nodes {
		n := &c.Nodes[i]
		k := n.key()
		at, ok := byKey[k]
		if !ok {
			at = len(out)
			byKey[k] = at
			out = append(out, Alike{Example: n})
		}
		out[at].Count++
	}
	slices.SortStableFunc(out, func(a, b Alike) int {
		return cmp.Or(cmp.Compare(b.Example.rank(), a.Example.rank()), cmp.Compare(b.Count, a.Count))
	})
	return out
}

// key is what makes nodes alike.
func (n *Node) key() string {
	r := n.Report
	if r == nil {
		return "problem\x00" + n.Kernel + "\x00" + n.Problem
	}
	losses := ""
	for _, l := range Losses(r.Hooks) {
		losses += fmt.Sprintf("%v%s", l.Hooks, l.Loses)
	}
	return strings.Join([]string{
		string(r.Verdict), r.Kernel.Release, r.Kernel.Architecture, string(r.BTF.Source), string(r.Cgroup.Layout), string(r.Cgroup.CPU),
		Names(r.Cgroup.Drivers), n.Runtime, losses,
	}, "\x00")
}

// rank of how badly a node is off; one that says nothing is the worst.
func (n *Node) rank() int {
	if n.Report == nil {
		return len(Verdicts())
	}
	return slices.Index(Verdicts(), n.Report.Verdict)
}

// Ailing are the nodes that do not hear everything, the worst first.
func (c *Cluster) Ailing() []*Node {
	var out []*Node
	for i := range c.Nodes {
		if c.Nodes[i].rank() > 0 {
			out = append(out, &c.Nodes[i])
		}
	}
	slices.SortStableFunc(out, func(a, b *Node) int { return cmp.Compare(b.rank(), a.rank()) })
	return out
}

// Counts of nodes by verdict; those without a report are under the empty one.
func (c *Cluster) Counts() map[Verdict]int {
	out := map[Verdict]int{}
	for _, n := range c.Nodes {
		if n.Report == nil {
			out[""]++
			continue
		}
		out[n.Report.Verdict]++
	}
	return out
}

// Names of signs, with commas.
func Names(all []Sign) string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
