// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// invocation is a command line and what it says. ID in args stands for a
// container's id; where the origin is a source file, the line is put together
// as that file does it, else it was seen (long paths are cut).
type invocation struct {
	args, op string
	// noID: the arguments do not have the id of a container of Kubernetes.
	noID, birth bool
	origin      string
}

func (i invocation) check(t *testing.T, role event.Role, command func([]string) (string, string)) {
	t.Helper()
	want := id
	if i.noID {
		want = ""
	}
	op, got := command(strings.Split(strings.ReplaceAll(i.args, "ID", id), " "))
	if op != i.op || got != want {
		t.Errorf("got %q %q, want %q %q (%s)", op, got, i.op, want, i.origin)
	}
	if ofBirth(role, op) != i.birth {
		t.Errorf("a birth: %v, want %v (%s)", !i.birth, i.birth, i.origin)
	}
}

const (
	goRunc     = "containerd/go-runc runc.go, containerd cmd/containerd-shim-runc-v2/process"
	conmonArgs = "containers/conmon src/runtime_args.c"
	task       = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ID"
	bundle     = "/run/containers/storage/overlay-containers/ID/userdata"
	nvidia     = "https://github.com/NVIDIA/nvidia-docker/issues/1668"
	moby       = "/run/containerd/io.containerd.runtime.v2.task/moby/ID"
	crunSource = "containers/crun src/crun.c"
	runcSource = "opencontainers/runc main.go"
	youki      = "youki-dev/youki crates/liboci-cli/src/lib.rs, crates/youki/src/main.rs"
)

func TestRuntimeCommand(t *testing.T) {
	const (
		containerd = "runc --root /run/containerd/runc/k8s.io --log " + task + "/log.json --log-format json "
		crio       = "/usr/bin/crun --systemd-cgroup --root=/run/crun "
	)
	for name, i := range map[string]invocation{
		"containerd, create":           {containerd + "create --bundle " + task + " --pid-file " + task + "/init.pid ID", "create", false, true, goRunc},
		"containerd, create, systemd":  {containerd + "--systemd-cgroup create --bundle " + task + " --pid-file " + task + "/init.pid ID", "create", false, true, goRunc},
		"containerd, create, terminal": {"runc --root /r --debug --log l --log-format json --rootless=true create --bundle b --pid-file p --console-socket s --no-pivot --no-new-keyring --preserve-fds 1 ID", "create", false, true, goRunc},
		"containerd, start":            {containerd + "start ID", "start", false, true, goRunc},
		"containerd, restore":          {containerd + "restore --image-path i --work-path w --bundle b --detach ID", "restore", false, true, goRunc},
		"containerd, exec":             {containerd + "exec --process /tmp/runc-process1 --detach --pid-file f ID", "exec", false, false, goRunc},
		"containerd, kill":             {containerd + "kill --all ID 9", "kill", false, false, goRunc},
		"containerd, delete":           {containerd + "delete --force ID", "delete", false, false, goRunc},
		"containerd, state":            {containerd + "state ID", "state", false, false, goRunc},
		"containerd, update":           {containerd + "update --resources=- ID", "update", false, false, goRunc},
		"containerd, pause":            {containerd + "pause ID", "pause", false, false, goRunc},
		"containerd, events":           {containerd + "events --stats ID", "events", false, false, goRunc},
		"by hand, exec":                {"runc --root /run/runc exec -t ID date", "exec", false, false, "https://github.com/opencontainers/runc/issues/4620"},
		"dockerd and nvidia":           {"nvidia-container-runtime --root /var/run/docker/runtime-runc/moby --log " + moby + "/log.json --log-format json create --bundle " + moby + " --pid-file " + moby + "/init.pid ID", "create", false, true, nvidia},
		"k3s and gVisor":               {"runsc --root=/run/containerd/runsc/k8s.io --log=/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/ID/log.json --log-format=json --debug=true create --bundle /run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/ID --pid-file /run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/ID/init.pid --user-log /var/log/pods/x/gvisor.log ID", "create", false, true, "https://github.com/google/gvisor/issues/7671"},
		"CRI-O, create":                {crio + "create --bundle " + bundle + " --pid-file " + bundle + "/pidfile ID", "create", false, true, conmonArgs},
		"CRI-O, restore":               {crio + "restore --bundle b --pid-file p --detach --image-path i --work-path w --lsm-profile=selinux:x ID", "restore", false, true, conmonArgs},
		"CRI-O, exec":                  {crio + "exec --pid-file p --process /tmp/exec-process-1 --detach ID", "exec", false, false, conmonArgs},
		"CRI-O, start":                 {"/usr/bin/runc --root=/run/runc --systemd-cgroup start ID", "start", false, true, "cri-o internal/oci/runtime_oci.go"},
		"crun, run by hand":            {"/usr/bin/crun --root=/run/crun run --pid-file=/run/crun/web.pid -f /home/web/config.json -d web", "run", true, true, "https://github.com/containers/crun/issues/1373"},
		"crun, id not last":            {"crun create ID -b /tmp/inst33", "create", false, true, crunSource},
		"crun, all its options":        {"crun --debug --cgroup-manager systemd --systemd-cgroup --log journald:x --log-format text --log-level warning --root create --rootless true start ID", "start", false, true, crunSource},
		"crun, all of them with =":     {"crun --cgroup-manager=disabled --log=l --log-format=json --log-level=debug --root=/r --rootless=auto start ID", "start", false, true, crunSource},
		"crun, update":                 {"crun update --memory 1000 ID", "update", false, false, crunSource},
		"crun, version":                {"crun --version", "", true, false, crunSource},
		"runc, all its options":        {"runc --debug --log start --log-format text --root run --criu c --systemd-cgroup --rootless auto create ID", "create", false, true, runcSource},
		"runc, one dash":               {"runc -root start delete ID", "delete", false, false, runcSource},
		"runc, features":               {"runc features", "features", true, false, runcSource},
		"runc, an unknown option":      {"runc --tomorrow value create --bundle b ID", "create", false, true, runcSource},
		"youki":                        {"youki --log-level info -s -r /run/youki -l start --log-format json create --bundle b ID", "create", false, true, youki},
		"cut before the id":            {containerd + "create --bundle " + task + " --pid-file " + task + "/in", "create", true, true, goRunc},
		"cut off":                      {"runc --root", "", true, false, runcSource},
		"nothing":                      {"runc", "", true, false, runcSource},
		"empty":                        {"", "", true, false, runcSource},
	} {
		t.Run(name, func(t *testing.T) { i.check(t, event.RoleRuntime, runtimeCommand) })
	}
}

func TestShimCommand(t *testing.T) {
	const (
		shimSource = "containerd pkg/shim/util.go, core/runtime/v2"
		v2         = "containerd-shim-runc-v2 -namespace k8s.io -address /run/containerd/containerd.sock -publish-binary /usr/bin/containerd -id ID "
		daemon     = "containerd-shim-runc-v2 -namespace moby -id ID -address /run/containerd/containerd.sock"
	)
	for name, i := range map[string]invocation{
		"start":                {v2 + "start", "start", false, true, shimSource},
		"start, debug":         {v2 + "-bundle " + task + " -debug start", "start", false, true, shimSource},
		"delete":               {v2 + "-bundle " + task + " delete", "delete", false, false, shimSource},
		"serve, k3s":           {"/var/lib/rancher/k3s/data/0f1a/bin/containerd-shim-runc-v2 -namespace k8s.io -id ID -address /run/k3s/containerd/containerd.sock", "", false, true, "https://github.com/k3s-io/k3s/issues/2502"},
		"serve, dockerd":       {daemon, "", false, true, shimSource},
		"with equals signs":    {"containerd-shim-runc-v2 --namespace=k8s.io --id=ID start", "start", false, true, shimSource},
		"what can you do":      {"containerd-shim-runc-v2 -info", "info", true, false, "containerd core/runtime/v2/task_manager.go"},
		"version":              {"containerd-shim-runc-v2 -v", "info", true, false, "containerd pkg/shim/shim.go"},
		"the first generation": {"containerd-shim -namespace k8s.io -workdir /var/data/cripersistentstorage/io.containerd.runtime.v1.linux/k8s.io/ID -address /run/containerd/containerd.sock", "", false, true, "https://github.com/containerd/containerd/issues/3133"},
		"cut":                  {"containerd-shim-runc-v2 -id", "", true, true, shimSource},
		"empty":                {"", "", true, true, shimSource},
	} {
		t.Run(name, func(t *testing.T) { i.check(t, event.RoleShim, shimCommand) })
	}
}

func TestMonitorCommand(t *testing.T) {
	const (
		crioSource = "cri-o internal/oci/runtime_oci.go"
		seen       = "https://github.com/containers/conmon/issues/545"
		podman     = "https://github.com/podman-container-tools/podman/issues/6400"
	)
	for name, i := range map[string]invocation{
		"CRI-O, create":   {"/usr/bin/conmon -b " + bundle + " -c ID --exit-dir /var/run/crio/exits -l /var/log/pods/x/9.log --log-level info -n k8s_x -P " + bundle + "/conmon-pidfile -p " + bundle + "/pidfile --persist-dir /var/lib/containers/storage/overlay-containers/ID/userdata -r /usr/bin/runc --runtime-arg --root=/run/runc --socket-dir-path /var/run/crio --syslog -u ID -s", "create", false, true, seen},
		"CRI-O, restore":  {"conmon -b b -c ID -r /usr/bin/crun --runtime-arg --root=/run/crun -u ID --restore /var/lib/x/checkpoint --runtime-opt --lsm-profile=selinux:x", "restore", false, true, crioSource},
		"CRI-O, exec":     {"conmon -c ID -n x -r /usr/bin/crun -p /tmp/pidfile -e -l /tmp/log --socket-dir-path /var/run/crio --log-level info --sync -T 1 -s --exec-process-spec /tmp/exec-process-1 --runtime-arg --root=/run/crun", "exec", false, false, crioSource},
		"podman":          {"/usr/local/bin/conmon --api-version 1 -c ID -u ID -r /usr/bin/crun -b b -p p -n x --exit-dir e --socket-dir-path s -l journald --log-level debug --syslog --conmon-pidfile c --exit-command /usr/bin/podman --exit-command-arg --root --exit-command-arg /var/lib", "create", false, true, podman},
		"not its own":     {"conmon --exit-command-arg -c --exit-command-arg x --exit-command-arg -e --runtime-arg --exec --cid ID", "create", false, true, "containers/conmon src/cli.c"},
		"long options":    {"conmon --cid=ID --cuuid=ID --exec", "exec", false, false, "containers/conmon src/cli.c"},
		"version":         {"conmon --version", "info", true, false, "containers/conmon src/cli.c"},
		"conmonrs":        {"/usr/bin/conmonrs --runtime /usr/bin/crun --runtime-dir /var/lib/containers/storage/overlay-containers/ID/userdata --runtime-root /run/crun --log-level info --log-driver systemd", "serve", false, true, "containers/conmon-rs pkg/client/client.go, cri-o internal/oci/runtime_pod.go"},
		"conmonrs, asked": {"/usr/bin/conmonrs --version-json", "info", true, false, "containers/conmon-rs pkg/client/client.go"},
		"empty":           {"", "info", true, false, "containers/conmon src/cli.c"},
	} {
		t.Run(name, func(t *testing.T) { i.check(t, event.RoleMonitor, monitorCommand) })
	}
}

// Whatever the arguments, a runtime's id is one of Kubernetes' or none.
func FuzzCommands(f *testing.F) {
	f.Add("runc --root /r create " + id)
	f.Add("conmon -b /x -c " + id + " --runtime-arg -e")
	f.Add("containerd-shim -workdir /x/" + id + " start")
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		if op, id := runtimeCommand(args); id != "" && (op == "" || !cgroup.IsContainerID(id)) {
			t.Errorf("%q: %q %q", line, op, id)
		}
		shimCommand(args)
		monitorCommand(args)
		cniPod(line)
	})
}
