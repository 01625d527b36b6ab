// SPDX-License-Identifier: Apache-2.0

// Package attribution decides whose an event is. It never looks at a living
// process: a session is stamped on every event in the kernel, and gets its name
// from the cgroup that a member joins, from the container id in a runtime's
// arguments, or from a CNI plugin's environment, whichever is heard first.
package attribution

import (
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Identity is whose an event is.
type Identity struct {
	PodUID      string
	ContainerID string
	// Sandbox is true for the pod's own sandbox (the pause container).
	Sandbox bool
	// Role of the session, empty for events without one.
	Role event.Role
	// Op is what the session does: a runtime's subcommand, a CNI command.
	Op string
}

// Attributed is an event and whose it is.
type Attributed struct {
	event.Event
	Who Identity
}

// ofBirth is true for sessions that bring a container to life.
func ofBirth(role event.Role, op string) bool {
	switch role {
	case event.RoleRuntime:
		return op == "create" || op == "start" || op == "run"
	case event.RoleCNI:
		return op == "ADD"
	case event.RoleShim:
		return op != "delete"
	case event.RoleMonitor:
		return true
	}
	return false
}

// Global options of runc and crun that take a value.
var runtimeOptions = []string{"--root", "--log", "--log-format", "--criu", "--rootless", "--cgroup-manager"}

// runtimeCommand finds the subcommand of runc or crun and the container's id,
// which is the last argument of those that matter here.
func runtimeCommand(args []string) (op, containerID string) {
	for i := 1; i < len(args); i++ {
		if strings.HasPrefix(args[i], "-") {
			if slices.Contains(runtimeOptions, args[i]) {
				i++
			}
			continue
		}
		if last := len(args) - 1; last > i && !strings.HasPrefix(args[last], "-") {
			return args[i], args[last]
		}
		return args[i], ""
	}
	return "", ""
}

// optionValue finds the value of an option given as "-name value" or "-name=value".
func optionValue(args []string, names ...string) string {
	for i, arg := range args {
		for _, name := range names {
			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
			if v, ok := strings.CutPrefix(arg, name+"="); ok {
				return v
			}
		}
	}
	return ""
}

// shimCommand finds the action of a containerd shim (start, delete or none, for
// the daemon itself) and the id it serves.
func shimCommand(args []string) (op, containerID string) {
	if n := len(args); n > 0 && (args[n-1] == "start" || args[n-1] == "delete") {
		op = args[n-1]
	}
	return op, optionValue(args, "-id", "--id")
}

// cniPod finds the pod in CNI_ARGS, as the kubelet's runtimes fill it:
// "K8S_POD_NAMESPACE=...;K8S_POD_UID=...".
func cniPod(args string) PodName {
	var p PodName
	for pair := range strings.SplitSeq(args, ";") {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "K8S_POD_UID":
			p.UID = value
		case "K8S_POD_NAME":
			p.Name = value
		case "K8S_POD_NAMESPACE":
			p.Namespace = value
		}
	}
	return p
}

// PodName is what a pod is called.
type PodName struct {
	UID, Namespace, Name string
}
