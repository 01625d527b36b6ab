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
	// ContainerID is empty for the pod's own cgroup.
	ContainerID string
}

// IsPod is true for the cgroup of a pod itself.
func (p Place) IsPod() bool { return p.PodUID != "" && p.ContainerID == "" }

// IsContainer is true for the cgroup of a container.
func (p Place) IsContainer() bool { return p.ContainerID != "" }

var (
	// kubelet's names: pod<uid> with the cgroupfs driver,
	// kubepods-<qos>-pod<uid with _ for ->.slice with systemd's
	// (pkg/kubelet/cm/cgroup_manager_linux.go). A static pod's UID is a hash
	// without dashes.
	podDir = regexp.MustCompile(`^(?:.*-)?pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$`)
	// The runtimes' names: the bare id, or <prefix>-<id>.scope with systemd
	// (cri-containerd, crio, docker, libpod). crio-conmon-<id>.scope holds the
	// monitor and not the container.
	containerDir = regexp.MustCompile(`^(?:(cri-containerd|crio|docker|libpod)-)?([0-9a-f]{64})(?:\.scope)?$`)
)

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
		place := Place{PodUID: strings.ReplaceAll(m[1], "_", "-")}
		if i+1 < len(parts) {
			if c := containerDir.FindStringSubmatch(parts[i+1]); c != nil {
				place.ContainerID = c[2]
			} else {
				// Something of the pod's that is neither (a monitor's scope).
				return Place{}
			}
		}
		return place
	}
	return Place{}
}
