// SPDX-License-Identifier: Apache-2.0

// Package birth turns what was heard of a pod's start into its certificate. It
// is pure: events and pod states go in with their times, certificates come out.
package birth

import (
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Pod is what the API server says of a pod.
type Pod struct {
	UID, Namespace, Name string
	Workload             *v1alpha1.WorkloadReference
	// Ready is the pod's Ready condition, ReadySince its last transition in
	// whole seconds (zero if unknown).
	Ready      bool
	ReadySince time.Time
	// Phase is status.phase; Reason and Message are the status's own, which the
	// kubelet gives where it ended the pod as a whole: Evicted, DeadlineExceeded.
	Phase           string
	Reason, Message string
	// Deleted is true once deletion was asked for or has happened.
	Deleted bool
	// Mirror is true of a static pod: the API object stands for it, and whoever deletes
	// that has the kubelet make another. UID is the static pod's own.
	Mirror bool `json:",omitzero"`
	// OptedOut is true where an annotation forbids observation.
	OptedOut bool
	// Created is when the pod object was made, Scheduled when it was bound to its
	// node, both in whole seconds; zero if unknown.
	Created, Scheduled time.Time
	// FirstStarted is when the first of its containers was started, of all that the API
	// server still tells of, in whole seconds; zero if none was.
	FirstStarted time.Time `json:",omitzero"`
	// Containers of the pod, init containers first; ephemeral ones are left out.
	Containers []Container
	// Ephemeral are the ids of the ephemeral containers, empty until they are made.
	Ephemeral []string
}

// Remark is what the kubelet said of a pod in an event.
type Remark struct {
	// Reason in one word, such as Pulled or FailedMount.
	Reason, Message string
	// Container concerned, empty for the pod.
	Container string
	// First and Time are when it was said first and last, in whole seconds; Count is how
	// often.
	First, Time time.Time
	Count       int32
}

// Container is what the API server says of a container.
type Container struct {
	Name string
	// Init is true for an init container that must end before the next starts;
	// a sidecar is none.
	Init bool
	// Sidecar is true for an init container that goes on.
	Sidecar bool
	// Started and Ready are what the kubelet says of its probes; both are true
	// without probes.
	Started, Ready bool
	// ID as the runtime has it, without the scheme; empty until it is made.
	ID string
	// Runtime is the scheme of the id, such as containerd.
	Runtime string
	// WaitingReason and Message say why it does not run.
	WaitingReason, Message string
	// Running is true once it was started and has not ended.
	Running bool
	// Ended is set once it has ended, and Before while it runs again: how it ended before.
	Ended  *Ended
	Before *Ended `json:",omitempty"`
	// Restarts counts earlier ends.
	Restarts int32
	// CPURequest in millicores, nil where nobody has told.
	CPURequest *int64 `json:",omitempty"`
}

// Ended is how a container ended.
type Ended struct {
	// ID of the container, as Container has it; empty where nobody told.
	ID       string `json:",omitempty"`
	ExitCode int32
	Signal   int32
	Reason   string
	Message  string
}

// Reasons for waiting out of which a pod does not come by itself: those of the kubelet
// (pkg/kubelet/images, kuberuntime, container) and of the CRI (cri-api/pkg/errors).
var failingReasons = map[string]string{
	"CrashLoopBackOff":           "Entrypoint",
	"PostStartHookError":         "PostStartHook",
	"RunContainerError":          "ContainerStart",
	"StartError":                 "ContainerStart",
	"PreStartHookError":          "ContainerStart",
	"CreateContainerError":       "ContainerCreate",
	"PreCreateHookError":         "ContainerCreate",
	"RROUnsupported":             "ContainerCreate",
	"CreateContainerConfigError": "ContainerConfig",
	"ErrImagePull":               "ImagePull",
	"ImagePullBackOff":           "ImagePull",
	"ErrImageNeverPull":          "ImagePull",
	"InvalidImageName":           "ImagePull",
	"ImageInspectError":          "ImagePull",
	"RegistryUnavailable":        "ImagePull",
	"SignatureValidationFailed":  "ImagePull",
}

// failingStep is the step that a container's reason for waiting is about, empty where
// it does not fail.
func (c *Container) failingStep() string {
	step := failingReasons[c.WaitingReason]
	if step == "ContainerConfig" && ofSubPath(c.Message) {
		return "VolumeMount"
	}
	return step
}

// ofSubPath is true for what the kubelet says of a subPath or a subPathExpr that it
// cannot mount (pkg/kubelet/kubelet_pods.go, container/helpers.go).
func ofSubPath(message string) bool {
	return strings.Contains(strings.ToLower(message), "subpath") || strings.HasPrefix(message, "missing value for ")
}

// failing finds the container that keeps the pod from being born.
func (p *Pod) failing() (c Container, step string, ok bool) {
	for _, c := range p.Containers {
		if step := c.failingStep(); step != "" {
			return c, step, true
		}
	}
	if p.Phase == "Failed" {
		if word(p.Reason) != "" {
			return Container{}, "Pod", true // how its containers ended is what came of it
		}
		for _, c := range p.Containers {
			if c.Ended != nil && (c.Ended.ExitCode != 0 || c.Ended.Signal != 0) {
				return c, "Entrypoint", true
			}
		}
		return Container{}, "Pod", true
	}
	return Container{}, "", false
}

// kind is the container's part in the pod.
func (c *Container) kind() v1alpha1.ContainerType {
	switch {
	case c.Init:
		return v1alpha1.ContainerInit
	case c.Sidecar:
		return v1alpha1.ContainerSidecar
	}
	return v1alpha1.ContainerApp
}

// restarts of all containers.
func (p *Pod) restarts() int32 {
	var n int32
	for _, c := range p.Containers {
		n += c.Restarts
	}
	return n
}

// over is true once nothing more will come of the pod.
func (p *Pod) over() bool { return p.Deleted || p.Phase == "Succeeded" || p.Phase == "Failed" }

// ContainerName is the name of the container with that id, or empty.
func (p *Pod) ContainerName(id string) string {
	for _, c := range p.Containers {
		if c.ID == id && id != "" {
			return c.Name
		}
	}
	return ""
}
