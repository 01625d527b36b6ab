// SPDX-License-Identifier: Apache-2.0

// Package cgroup reads whose a cgroup is out of its path, and keeps the
// dictionary from cgroup ids to paths.
package cgroup

import (
	"regexp"
	"strings"
)

// Place is what a cgroup's path says about it.
type Place struct {
	// PodUID is empty outside of pods.
	PodUID string
	// ContainerID is empty for the pod's own cgroup, else 64 hex digits.
	ContainerID string
	// Below is true for a cgroup inside the container's own: made by what runs
	// in it, or by its runtime (crun's "container").
	Below bool
}

// IsPod is true for the cgroup of a pod itself.
func (p Place) IsPod() bool { return p.PodUID != "" && p.ContainerID == "" }

// IsContainer is true for the cgroup of a container and those below it.
func (p Place) IsContainer() bool { return p.ContainerID != "" }

const (
	uidPattern = `[0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32}`
	idPattern  = `[0-9a-f]{64}`
	runtimes   = `cri-containerd|crio|docker|libpod`
)

var (
	// kubelet's names: pod<uid> with the cgroupfs driver,
	// kubepods-<qos>-pod<uid with _ for ->.slice with systemd's
	// (pkg/kubelet/cm/cgroup_manager_linux.go). A static pod's UID is a hash
	// without dashes. A runtime that is told a name for systemd and makes the
	// cgroup itself takes "<slice>:<prefix>:<id>" for a directory: it is the
	// container's, and not below the pod's.
	podDir = regexp.MustCompile(`^(?:.*-)?pod(` + uidPattern + `)(?:\.slice(?::(?:` + runtimes + `):(` + idPattern + `))?)?$`)
	// The runtimes' names: the bare id, or <prefix>-<id>.scope with systemd, and
	// Kata's kata_<id of the sandbox>. crio-conmon-<id>.scope holds the monitor
	// and not the container.
	containerDir = regexp.MustCompile(`^(?:(?:` + runtimes + `)-|kata_)?(` + idPattern + `)(?:\.scope)?$`)
	containerID  = regexp.MustCompile(`^` + idPattern + `$`)
)

// IsContainerID is true for an id as the runtimes of Kubernetes make them.
func IsContainerID(s string) bool { return containerID.MatchString(s) }

// ParsePath reads a path from its end, so that the nested prefix of a node that
// is itself a container (kind, k3d) does not matter. A cgroup below a
// container's belongs to the container.
func ParsePath(path string) Place {
	parts := strings.Split(path, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		m := podDir.FindStringSubmatch(parts[i])
		if m == nil {
			continue
		}
		place := Place{PodUID: strings.ReplaceAll(m[1], "_", "-"), ContainerID: m[2]}
		rest := parts[i+1:]
		if place.ContainerID == "" && len(rest) > 0 {
			c := containerDir.FindStringSubmatch(rest[0])
			if c == nil {
				// Something of the pod's that is neither (a monitor's scope).
				return Place{}
			}
			place.ContainerID, rest = c[1], rest[1:]
		}
		place.Below = len(rest) > 0
		return place
	}
	return Place{}
}
