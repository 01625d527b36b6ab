// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// run runs a program's act to its end, and returns what it said and the session of
// which its beginning and its end were heard, if they were: a kernel that leaves
// out runs of programs (7.x) may leave out these.
func (k *kernel) run(t *testing.T, cmd *exec.Cmd) (open event.Event, said string, wrong string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", cmd, err, out.String())
	}
	open, _, wrong = k.life(cmd.Process.Pid)
	return open, out.String(), wrong
}

// life is the session that a process opened, and its end. The process has ended, and so
// what was not heard of it by now does not come.
func (k *kernel) life(pid int) (open, exit event.Event, wrong string) {
	k.t.Helper()
	k.soFar()
	open, ok := k.look(0, func(e event.Event) bool { return e.Kind == event.SessionOpen && e.PID == uint32(pid) })
	if !ok {
		return open, exit, "the beginning was not heard"
	}
	exit, ok = k.look(0, func(e event.Event) bool {
		return e.Kind == event.Exit && e.Session == open.Session && e.PID == open.PID
	})
	if !ok {
		return open, exit, "the end was not heard"
	}
	return open, exit, ""
}

// of are the events of one kind in a session.
func (k *kernel) of(session uint64, kind event.Kind) []event.Event {
	return slices.DeleteFunc(slices.Clone(k.kept), func(e event.Event) bool { return e.Session != session || e.Kind != kind })
}

// What a runtime does to a container is told, all of it, and nothing that failed
// or was done to something else.
func TestDeedsOfARuntime(t *testing.T) {
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	dir, _ := makeCgroup(t, "deeds")
	k.insist(t, func(try int) string {
		open, _, wrong := k.run(t, exec.Command(path, "deeds", fmt.Sprint("deeds-mark-", try), dir, filepath.Join(t.TempDir(), "cpu.max")))
		if wrong != "" {
			return wrong
		}
		var joined []int64
		for _, e := range k.of(open.Session, event.Setns) {
			joined = append(joined, e.Value)
		}
		files := map[string]int{}
		for _, e := range k.of(open.Session, event.CgroupWrite) {
			files[e.File]++
		}
		filters := len(k.of(open.Session, event.Seccomp))
		c := k.counts(open.Session).Own
		const told = 32 // KG_DEEDS
		switch {
		case !slices.Equal(joined, []int64{unix.CLONE_NEWNET, unix.CLONE_NEWUTS, 0}):
			return fmt.Sprintf("joined %#x", joined)
		case c.CgroupWrites != manyWrites+1 || files["cpu.max"]+files["cpu.cfs_quota_us"] != told || len(files) != 1:
			return fmt.Sprintf("%d writes to control files, told %v", c.CgroupWrites, files)
		case filters != 2:
			return fmt.Sprintf("%d seccomp filters", filters)
		}
		return ""
	})
}

// Shared objects that the dynamic linker opens, against strace.
func TestLinkingAgainstStrace(t *testing.T) {
	k := listen(t)
	k.arm()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is not installed: apt-get install strace")
	}
	linked := dynamic([]string{"/bin/true", "/bin/ls", strace})
	if linked == "" {
		t.Skip("no program here is linked dynamically")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	if out, err := exec.Command(strace, "-f", "-e", "trace=open,openat", "-o", trace, linked, "--version").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	raw, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(0)
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, ".so") && strings.Contains(line, " = ") && !strings.Contains(line, " = -1 ") {
			want++
		}
	}
	path := program(t, runtimeName)
	k.insist(t, func(try int) string {
		open, _, wrong := k.run(t, exec.Command(path, "enter", fmt.Sprint("enter-mark-", try), linked, "--version"))
		if wrong != "" {
			return wrong
		}
		told := k.of(open.Session, event.Linked)
		if len(told) != 1 || !told[0].Workload || told[0].Value != want || want == 0 {
			return fmt.Sprintf("%s: told %+v, strace saw %d", linked, told, want)
		}
		t.Logf("%s: %d shared objects", linked, want)
		return ""
	})
}

// dynamic is the first of the programs that has a dynamic linker.
func dynamic(programs []string) string {
	for _, p := range programs {
		f, err := elf.Open(p)
		if err != nil {
			continue
		}
		defer func() { _ = f.Close() }()
		for _, part := range f.Progs {
			if part.Type == elf.PT_INTERP {
				return p
			}
		}
	}
	return ""
}

// plugin is a command in the environment of a CNI plugin.
func plugin(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "CNI_COMMAND=ADD", "CNI_CONTAINERID=abc", "CNI_NETNS=/run/netns/none", "CNI_ARGS=K8S_POD_UID=u")
	return cmd
}

// Network devices that a plugin asks for, one by one and in a batch. Whether the
// kernel can make them is another matter.
func TestNetworkDevicesAreCounted(t *testing.T) {
	k := listen(t)
	k.arm()
	path := program(t, "any-plugin")
	k.insist(t, func(int) string {
		open, said, wrong := k.run(t, plugin(path, "links"))
		if wrong != "" {
			return wrong
		}
		told := int64(0)
		for _, e := range k.of(open.Session, event.NetDevice) {
			told += e.Value
		}
		c := k.counts(open.Session).Own
		t.Logf("asked for 3 devices, told %d; there are %s", told, strings.TrimSpace(said))
		if c.NetDevices != 3 || told != 3 {
			return fmt.Sprintf("%d devices counted, %d told, asked for 3", c.NetDevices, told)
		}
		return ""
	})
}

// A volume's mount is a daemon's deed, and its path says whose it is.
func TestAVolumesMount(t *testing.T) {
	k := listen(t)
	k.arm()
	dir := filepath.Join(t.TempDir(), "pods", "0b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11", "volumes", "kubernetes.io~secret", "token")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as the kubelet makes it
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	e := k.find("the mount", func(e event.Event) bool { return e.Kind == event.Mount && e.Path == dir })
	if e.Session != 0 || e.PID != uint32(os.Getpid()) {
		t.Errorf("%+v", e)
	}
}

// A shim's mount is of its session, and says for which container it is.
func TestAShimsMount(t *testing.T) {
	k := listen(t)
	k.arm()
	root := filepath.Join(t.TempDir(), strings.Repeat("ab", 32), "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil { //nolint:gosec // as the runtime makes it
		t.Fatal(err)
	}
	path := program(t, "containerd-shim-runc-v2")
	k.insist(t, func(try int) string {
		open, _, wrong := k.run(t, exec.Command(path, "mount", fmt.Sprint("shim-mark-", try), root))
		if wrong != "" {
			return wrong
		}
		mounts := k.of(open.Session, event.Mount)
		c := k.counts(open.Session).Own
		if open.Open.Role != event.RoleShim || c.Mounts != 2 || len(mounts) != 2 || mounts[1].Path != root {
			return fmt.Sprintf("%s: %d mounts, told %+v", open.Open.Role, c.Mounts, mounts)
		}
		return ""
	})
}

// The kernel kills a member for want of memory, and counts that itself.
func TestOutOfMemory(t *testing.T) {
	k := listen(t)
	dir, kills := memoryCgroup(t, 48<<20)
	path := program(t, runtimeName)
	k.insist(t, func(int) string {
		before := kills()
		cmd := exec.Command(path, "hog", "hog-mark", dir)
		err := cmd.Run()
		open, exit, wrong := k.life(cmd.Process.Pid)
		if wrong != "" {
			return wrong
		}
		told, n := k.of(open.Session, event.OutOfMemory), kills()-before
		if err == nil || !unix.WaitStatus(exit.Value).Signaled() || len(told) == 0 || uint64(len(told)) != n {
			return fmt.Sprintf("%v, %+v, told %+v, the cgroup counts %d", err, exit, told, n)
		}
		for _, e := range told {
			if e.Value != int64(cmd.Process.Pid) || e.Time > exit.Time {
				return fmt.Sprintf("%+v, the process was %d and ended at %d", e, cmd.Process.Pid, exit.Time)
			}
		}
		return ""
	})
}

// memoryCgroup makes a cgroup with a memory limit, and tells how many of it the
// kernel has killed; it skips the test where there is no such controller.
func memoryCgroup(t *testing.T, bytes int) (dir string, kills func() uint64) {
	t.Helper()
	root, limitFile, countFile := "", "memory.limit_in_bytes", "memory.oom_control"
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		switch {
		case f[2] == "cgroup" && slices.Contains(strings.Split(f[3], ","), "memory"):
			root = f[1]
		case f[2] == "cgroup2" && os.WriteFile(filepath.Join(f[1], "cgroup.subtree_control"), []byte("+memory"), 0) == nil:
			root, limitFile, countFile = f[1], "memory.max", "memory.events"
		}
	}
	if root == "" {
		t.Skip("no hierarchy here has the memory controller")
	}
	dir = filepath.Join(root, fmt.Sprintf("kernel-gossip-test-%d-memory", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(t, dir) })
	write(t, filepath.Join(dir, limitFile), strconv.Itoa(bytes))
	for _, swap := range []string{"memory.swap.max", "memory.memsw.limit_in_bytes"} {
		_ = os.WriteFile(filepath.Join(dir, swap), []byte(strconv.Itoa(map[bool]int{true: 0, false: bytes}[swap == "memory.swap.max"])), 0)
	}
	return dir, func() uint64 {
		raw, err := os.ReadFile(filepath.Join(dir, countFile))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == "oom_kill" {
				n, err := strconv.ParseUint(value, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
		t.Skip("this kernel does not count what it kills in a cgroup")
		return 0
	}
}
