// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// localNode is the node that is this machine, with the places where its kernel
// shows the counters of cgroups.
type localNode struct {
	name, hostname string
	// Mount points of the hierarchies; the same one on cgroup v2.
	cpu, cpuacct, memory string
	unified              bool
}

// findLocalNode returns nil if no node is this machine, or if this is not root.
func findLocalNode(ctx context.Context, c client.Client) (*localNode, error) {
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("read this machine's boot id: %w", err)
	}
	nodes := &corev1.NodeList{}
	if err := c.List(ctx, nodes); err != nil {
		return nil, fmt.Errorf("list the nodes of KUBECONFIG's cluster: %w", err)
	}
	for _, n := range nodes.Items {
		if n.Status.NodeInfo.BootID == strings.TrimSpace(string(bootID)) && os.Geteuid() == 0 {
			local := &localNode{name: n.Name, hostname: n.Labels[corev1.LabelHostname]}
			return local, local.findHierarchies()
		}
	}
	return nil, nil
}

func (n *localNode) findHierarchies() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return fmt.Errorf("find the cgroup hierarchies: %w", err)
	}
	v2 := ""
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		if fields[2] == "cgroup2" {
			v2 = fields[1]
		}
		if fields[2] != "cgroup" {
			continue
		}
		for option := range strings.SplitSeq(fields[3], ",") {
			switch option {
			case "cpu":
				n.cpu = fields[1]
			case "cpuacct":
				n.cpuacct = fields[1]
			case "memory":
				n.memory = fields[1]
			}
		}
	}
	if n.cpu == "" {
		n.cpu, n.cpuacct, n.memory, n.unified = v2, v2, v2, true
	}
	if n.cpu == "" || n.cpuacct == "" || n.memory == "" {
		return errors.New("this machine mounts no cgroup hierarchy of the controllers cpu, cpuacct and memory")
	}
	return nil
}

// podCgroup is a pod's cgroup, relative to the mount point; empty if there is none.
func (n *localNode) podCgroup(uid string) string {
	found := ""
	forms := []string{"pod" + uid, "pod" + strings.ReplaceAll(uid, "-", "_")}
	_ = filepath.WalkDir(n.cpu, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // what vanishes meanwhile is not ours
		}
		for _, form := range forms {
			if strings.Contains(d.Name(), form) {
				found, _ = filepath.Rel(n.cpu, path)
				return filepath.SkipAll
			}
		}
		return nil
	})
	return found
}

// children are the cgroups right below one, by name.
func (n *localNode) children(cgroup string) []string {
	entries, err := os.ReadDir(filepath.Join(n.cpu, cgroup))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// container is the cgroup of a pod's container.
func (n *localNode) container(t *testing.T, uid, id string) string {
	t.Helper()
	pod := n.podCgroup(uid)
	for _, name := range n.children(pod) {
		if id != "" && strings.Contains(name, id) {
			return filepath.Join(pod, name)
		}
	}
	t.Fatalf("pod %s, container %q: no cgroup below %s", uid, id, filepath.Join(n.cpu, pod))
	return ""
}

// processes of a cgroup, as process ids of this machine.
func (n *localNode) processes(t *testing.T, cgroup string) []int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(n.cpu, cgroup, "cgroup.procs"))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for line := range strings.Lines(string(raw)) {
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// bandwidth is what a cgroup's own files say of its CPU.
type bandwidth struct {
	periods, throttled uint64
	usage              uint64 // nanoseconds
}

func (n *localNode) bandwidth(cgroup string) (bandwidth, error) {
	stat, err := keyed(filepath.Join(n.cpu, cgroup, "cpu.stat"))
	if err != nil {
		return bandwidth{}, err
	}
	b := bandwidth{periods: stat["nr_periods"], throttled: stat["nr_throttled"], usage: stat["usage_usec"] * 1000}
	if !n.unified {
		b.usage, err = number(filepath.Join(n.cpuacct, cgroup, "cpuacct.usage"))
	}
	return b, err
}

// workingSet is a cgroup's memory without the page cache that the kernel can drop.
func (n *localNode) workingSet(cgroup string) (uint64, error) {
	usageFile, inactiveKey := "memory.usage_in_bytes", "total_inactive_file"
	if n.unified {
		usageFile, inactiveKey = "memory.current", "inactive_file"
	}
	usage, err := number(filepath.Join(n.memory, cgroup, usageFile))
	if err != nil {
		return 0, err
	}
	stat, err := keyed(filepath.Join(n.memory, cgroup, "memory.stat"))
	if err != nil {
		return 0, err
	}
	return usage - min(usage, stat[inactiveKey]), nil
}

func number(file string) (uint64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
}

// keyed reads a file of "name value" lines.
func keyed(file string) (map[string]uint64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	values := map[string]uint64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64); err == nil {
			values[key] = v
		}
	}
	return values, lines.Err()
}

// namespaces are the namespaces of processes by type, each once.
func namespaces(t *testing.T, pids []int) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	for _, pid := range pids {
		for _, kind := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user"} {
			link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
			if err != nil {
				t.Fatal(err)
			}
			if found[kind] == nil {
				found[kind] = map[string]bool{}
			}
			found[kind][link] = true
		}
	}
	return found
}

func afterScheme(id string) string {
	_, id, _ = strings.Cut(id, "://")
	return id
}

func procFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
