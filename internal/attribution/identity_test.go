// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"strings"
	"testing"
)

var id = strings.Repeat("ab", 32)

func TestRuntimeCommand(t *testing.T) {
	for name, tt := range map[string]struct{ args, op, id string }{
		"containerd, create": {"runc --root /run/containerd/runc/k8s.io --log /run/x/log.json --log-format json create --bundle /run/x --pid-file /run/x/init.pid " + id, "create", id},
		"containerd, start":  {"runc --root /run/containerd/runc/k8s.io --log /run/x/log.json --log-format json start " + id, "start", id},
		"systemd cgroups":    {"runc --root /r --systemd-cgroup create --bundle /run/x " + id, "create", id},
		"equals sign":        {"crun --root=/run/crun --cgroup-manager=systemd create --bundle b " + id, "create", id},
		"exec":               {"runc --root /r exec --process /tmp/p --detach --pid-file f " + id, "exec", id},
		"a root named start": {"runc --root start delete --force " + id, "delete", id},
		"no id":              {"runc --version", "", ""},
		"only a command":     {"runc features", "features", ""},
		"cut off":            {"runc --root", "", ""},
		"nothing":            {"runc", "", ""},
		"empty":              {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			op, id := runtimeCommand(strings.Split(tt.args, " "))
			if op != tt.op || id != tt.id {
				t.Errorf("got %q %q, want %q %q", op, id, tt.op, tt.id)
			}
		})
	}
}

func TestShimCommand(t *testing.T) {
	for name, tt := range map[string]struct{ args, op, id string }{
		"start":  {"containerd-shim-runc-v2 -namespace k8s.io -address /run/c.sock -id " + id + " start", "start", id},
		"serve":  {"containerd-shim-runc-v2 -namespace k8s.io -id " + id + " -address /run/c.sock", "", id},
		"delete": {"containerd-shim-runc-v2 -namespace k8s.io -id " + id + " -bundle /run/x delete", "delete", id},
		"cut":    {"containerd-shim-runc-v2 -id", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			op, id := shimCommand(strings.Split(tt.args, " "))
			if op != tt.op || id != tt.id {
				t.Errorf("got %q %q, want %q %q", op, id, tt.op, tt.id)
			}
		})
	}
	if op, id := shimCommand(nil); op != "" || id != "" {
		t.Errorf("no arguments: %q %q", op, id)
	}
}

func TestCNIPod(t *testing.T) {
	got := cniPod("IgnoreUnknown=1;K8S_POD_UID=u;K8S_POD_NAME=a=b;K8S_POD_NAMESPACE=ns;;")
	if got != (PodName{UID: "u", Namespace: "ns", Name: "a=b"}) {
		t.Errorf("%+v", got)
	}
}

func FuzzCommands(f *testing.F) {
	f.Add("runc --root /r create " + id)
	f.Fuzz(func(_ *testing.T, args string) {
		runtimeCommand(strings.Split(args, " "))
		shimCommand(strings.Split(args, " "))
		cniPod(args)
	})
}
