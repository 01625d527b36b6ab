// SPDX-License-Identifier: Apache-2.0

package attribution

import (
	"path"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
)

var (
	// Subcommands of runc, which crun, youki and the wrappers of runc share.
	runtimeCommands = []string{
		"create", "start", "run", "restore", "exec", "kill", "delete", "state", "ps", "list", "events", "spec",
		"pause", "resume", "update", "checkpoint", "features", "init", "mounts", "info", "completion", "help",
	}
	// Global options with a value, without their dashes: of runc (main.go; criu
	// until 1.1), crun (src/crun.c) and youki (crates/liboci-cli: r, l).
	runtimeValues = []string{"root", "log", "log-format", "log-level", "criu", "rootless", "cgroup-manager", "r", "l"}
	// Options of conmon whose value is an argument for somebody else, so that it
	// may look like an option (src/cli.c).
	monitorValues = []string{"exit-command-arg", "runtime-arg", "runtime-opt", "restore-arg", "log-label"}
)

// runtimeCommand finds the subcommand of an OCI runtime and the container's id,
// empty if the arguments have none of Kubernetes' kind (or were cut before it).
func runtimeCommand(args []string) (op, containerID string) {
	for i := 1; i < len(args); i++ {
		switch {
		case isOption(args[i], runtimeValues):
			i++
		case slices.Contains(runtimeCommands, args[i]):
			// The id is the only argument of this form: options carry it in paths.
			if n := slices.IndexFunc(args[i+1:], cgroup.IsContainerID); n >= 0 {
				containerID = args[i+1+n]
			}
			return args[i], containerID
		}
	}
	return "", ""
}

// shimCommand finds the action of a containerd shim and the id it serves: start
// and delete, none for the daemon itself, info for one that only tells about
// itself.
func shimCommand(args []string) (op, containerID string) {
	for _, arg := range args {
		if isOption(arg, []string{"info", "v", "version"}) {
			return "info", ""
		}
	}
	if n := len(args); n > 0 && (args[n-1] == "start" || args[n-1] == "delete") {
		op = args[n-1]
	}
	containerID = optionValue(args, "-id", "--id")
	if containerID == "" {
		// The first generation has the bundle's directory alone.
		containerID = idInPath(optionValue(args, "-workdir", "--workdir"))
	}
	return op, containerID
}

// monitorCommand finds what conmon does, create, restore or exec, and for which
// container. conmonrs serves a whole pod and names the sandbox by its directory.
// Either is asked for its version, too: info.
func monitorCommand(args []string) (op, containerID string) {
	var own []string
	for i := 0; i < len(args); i++ {
		own = append(own, args[i])
		if isOption(args[i], monitorValues) {
			i++
		}
	}
	containerID = optionValue(own, "-c", "--cid")
	switch {
	case containerID == "":
		if containerID = idInPath(optionValue(own, "--runtime-dir")); containerID == "" {
			return "info", "" // its version, of all that is known
		}
		return "serve", containerID
	case slices.Contains(own, "-e") || slices.Contains(own, "--exec"):
		return "exec", containerID
	case optionValue(own, "--restore") != "":
		return "restore", containerID
	}
	return "create", containerID
}

// isOption is true for "-name" and "--name", not for "--name=value".
func isOption(arg string, names []string) bool {
	name, ok := strings.CutPrefix(arg, "-")
	return ok && slices.Contains(names, strings.TrimPrefix(name, "-"))
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

// idInPath finds the container's id that a directory of it is called by.
func idInPath(dir string) string {
	for ; dir != "" && dir != "/" && dir != "."; dir = path.Dir(dir) {
		if base := path.Base(dir); cgroup.IsContainerID(base) {
			return base
		}
	}
	return ""
}
