// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"cmp"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
)

// Inhabitants are the pods and containers of a machine, as the names of their
// cgroups tell them. The zero value has none.
type Inhabitants struct {
	pods, containers  int
	drivers, runtimes map[string]string // name → by what
}

// Drivers of kubelets.
const (
	driverSystemd  = "systemd"
	driverCgroupfs = "cgroupfs"
)

// Add takes a cgroup by its path from the hierarchy's root.
func (n *Inhabitants) Add(at string) {
	place := cgroup.ParsePath(at)
	switch {
	case place.IsPod():
		n.pods++
		n.driver(at)
	case place.IsContainer() && !place.Below:
		n.containers++
		n.runtime(path.Base(at))
	}
}

// driver of a kubelet, by the name that it gave a pod's cgroup.
func (n *Inhabitants) driver(at string) {
	name, by := driverCgroupfs, "podUID"
	if strings.HasSuffix(at, ".slice") {
		name, by = driverSystemd, "podUID.slice"
	}
	sign(&n.drivers, name, "cgroups "+by)
}

// prefixes that a runtime gives the cgroup of a container. A bare id is
// containerd's as well as Docker's with the cgroupfs driver, and tells nothing.
var prefixes = []struct{ prefix, runtime string }{
	{"cri-containerd", "containerd"}, {"crio", "cri-o"}, {"docker", "docker"}, {"libpod", "podman"}, {"kata_", "kata"},
}

func (n *Inhabitants) runtime(base string) {
	for _, p := range prefixes {
		// With systemd's names and without systemd the slice comes first.
		if strings.HasPrefix(base, p.prefix) || strings.Contains(base, ".slice:"+p.prefix+":") {
			sign(&n.runtimes, p.runtime, "cgroups "+p.prefix)
		}
	}
}

// programs of runtimes, by the name of their process.
var programs = map[string]string{
	"containerd": "containerd", "crio": "cri-o", "dockerd": "docker", "k3s-server": "containerd", "k3s-agent": "containerd",
}

// Process takes the name of a running process.
func (n *Inhabitants) Process(name string) {
	if runtime, ok := programs[name]; ok {
		sign(&n.runtimes, runtime, "process "+name)
	}
}

// sign keeps what something was recognized by first.
func sign(into *map[string]string, name, by string) {
	if *into == nil {
		*into = map[string]string{}
	}
	if _, ok := (*into)[name]; !ok {
		(*into)[name] = by
	}
}

// Tell puts what was seen into facts.
func (n *Inhabitants) Tell(f *Facts) {
	f.Cgroup.Pods, f.Cgroup.Containers = n.pods, n.containers
	f.Cgroup.Drivers, f.Runtimes = signs(n.drivers), signs(n.runtimes)
}

func signs(all map[string]string) []Sign {
	var out []Sign
	for name, by := range maps.All(all) {
		out = append(out, Sign{name, by})
	}
	slices.SortFunc(out, func(a, b Sign) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// maxCgroups bounds a walk; a node of 250 pods has a few thousand.
const maxCgroups = 50_000

// Inhabitants looks at the mounted hierarchy and at the names of processes, as
// far as this machine shows them.
func (s *Source) Inhabitants(c Cgroup) *Inhabitants {
	n := &Inhabitants{}
	if c.Mount != "" && c.Whole {
		root, seen := inside(c.Mount), 0
		_ = fs.WalkDir(s.Machine, root, func(at string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil // what vanishes meanwhile is none
			}
			if seen++; seen > maxCgroups {
				return fs.SkipAll
			}
			n.Add(strings.TrimPrefix(at, root))
			return nil
		})
	}
	processes, _ := fs.Glob(s.Machine, "proc/[0-9]*/comm")
	for _, p := range processes {
		n.Process(s.text(p))
	}
	return n
}
