// SPDX-License-Identifier: Apache-2.0

// Package attribution decides whose an event is. It never looks at a living
// process: a session is stamped on every event in the kernel, and gets its name
// from the cgroup that a member joins, from the container id in a runtime's
// arguments, or from a CNI plugin's environment, whichever is heard first.
package attribution

import (
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
		return op == "create" || op == "start" || op == "run" || op == "restore"
	case event.RoleCNI:
		return op == "ADD"
	case event.RoleShim:
		return op == "" || op == "start"
	case event.RoleMonitor:
		return op != "exec" && op != "info"
	}
	return false
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
