// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// victim is whose name the tenants of these tests use.
const victim = "0b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a12"

// asNobody makes a command one of an unprivileged user, who can reach its program.
func asNobody(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	const nobody = 65534
	for dir := filepath.Dir(cmd.Path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // it holds a program only
			t.Fatal(err)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Dir = "/"
	return cmd
}

// asItsOwnRoot makes a command one of the root of a new user namespace, who has all
// capabilities there, and in a mount namespace of it.
func asItsOwnRoot(cmd *exec.Cmd) *exec.Cmd {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, UidMappings: ids, GidMappings: ids}
	return cmd
}

// Who may not administer the node is no runtime and no plugin, whatever it is called and
// whatever its environment says.
func TestATenantOpensNoSession(t *testing.T) {
	k := listen(t)
	runtimePath, pluginPath := program(t, runtimeName), program(t, "any-plugin")
	forged := func() *exec.Cmd {
		cmd := exec.Command(pluginPath, "nothing")
		cmd.Env = []string{"CNI_CONTAINERID=abc", "CNI_COMMAND=ADD", "CNI_NETNS=/run/netns/none", "CNI_ARGS=K8S_POD_UID=" + victim}
		return cmd
	}
	tenants := map[uint32]string{}
	for _, cmd := range []*exec.Cmd{
		asNobody(t, exec.Command(runtimePath, "nothing", "tenant")), asNobody(t, forged()),
		asItsOwnRoot(exec.Command(runtimePath, "nothing", "tenant")), asItsOwnRoot(forged()),
	} {
		err := cmd.Run()
		if cmd.SysProcAttr.Cloneflags != 0 && errors.Is(err, unix.ENOSPC) {
			t.Logf("no user namespaces here: %v", err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		tenants[uint32(cmd.Process.Pid)] = cmd.Path
	}
	for _, cmd := range []*exec.Cmd{exec.Command(runtimePath, "nothing", "root"), forged()} {
		k.insist(t, func(int) string {
			again := exec.Command(cmd.Path, cmd.Args[1:]...)
			again.Env = cmd.Env
			_, _, wrong := k.run(t, again)
			return wrong
		})
	}
	for _, e := range k.kept { // in the order of what happened: root came last
		if e.Kind == event.SessionOpen && tenants[e.PID] != "" {
			t.Errorf("%s opened a session: %+v", tenants[e.PID], e)
		}
	}
}

// mountAt mounts a file system, or is content if that fails. Argument: where.
func mountAt(args []string) error {
	err := unix.Mount("tmpfs", args[0], "tmpfs", 0, "")
	if err == nil {
		return unix.Unmount(args[0], unix.MNT_DETACH)
	}
	return nil
}

// A mount that fails is none of a volume, nor is one that somebody makes for himself.
func TestAMountThatIsNone(t *testing.T) {
	k := listen(t)
	k.arm()
	dir := filepath.Join(t.TempDir(), "pods", victim, "volumes", "kubernetes.io~secret", "token")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as the kubelet makes it
		t.Fatal(err)
	}
	path := program(t, "bystander")
	for _, cmd := range []*exec.Cmd{
		asNobody(t, exec.Command(path, "mountat", dir)),
		asItsOwnRoot(exec.Command(path, "mountat", dir)),
		exec.Command(path, "mountat", dir+"/none"),
	} {
		if err := cmd.Run(); err != nil && !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	k.insist(t, func(int) string {
		cmd := exec.Command(path, "mountat", dir)
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		if _, ok := k.look(patience/6, func(e event.Event) bool { return e.Kind == event.Mount && e.PID == uint32(cmd.Process.Pid) }); !ok {
			return "a mount was not heard"
		}
		for _, e := range k.kept {
			if e.Kind == event.Mount && e.PID != uint32(cmd.Process.Pid) && (e.Path == dir || e.Path == dir+"/none") {
				t.Fatalf("told %+v", e)
			}
		}
		return ""
	})
}
