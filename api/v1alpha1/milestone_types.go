// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Milestone is one moment of a birth.
type Milestone struct {
	// OffsetMicroseconds is the time since spec.origin.
	// +kubebuilder:validation:Minimum=0
	OffsetMicroseconds int64 `json:"offsetMicroseconds"`
	// Clock that the moment was taken by.
	Clock Clock `json:"clock"`
}

// Origin is the moment from which all offsets of a certificate are counted.
type Origin struct {
	// Time of the earliest sign of the birth on this node: the watch's delivery
	// of the pod's binding, or the first kernel event if that came before.
	Time metav1.MicroTime `json:"time"`
	// Clock that the moment was taken by.
	Clock Clock `json:"clock"`
}

// ContainerType is a container's part in its pod.
// +kubebuilder:validation:Enum=Init;Sidecar;App
type ContainerType string

// The types. A sidecar is an init container that restarts always: it starts in
// the order of the init containers and goes on.
const (
	ContainerInit    ContainerType = "Init"
	ContainerSidecar ContainerType = "Sidecar"
	ContainerApp     ContainerType = "App"
)

// ImageSource is where a container's image came from.
// +kubebuilder:validation:Enum=Present;Pulled
type ImageSource string

// The sources.
const (
	ImagePresent ImageSource = "Present"
	ImagePulled  ImageSource = "Pulled"
)

// ContainerImage is what the kubelet's events say about a container's image. The
// kernel cannot tell: a daemon pulls for all pods.
type ContainerImage struct {
	// Source is Present for an image that was on the node, Pulled for one that was fetched.
	Source ImageSource `json:"source"`
	// PullMicroseconds is how long the pull took by the kubelet's clock, without
	// the time in its queue; absent for an image that was present.
	// +kubebuilder:validation:Minimum=0
	PullMicroseconds *int64 `json:"pullMicroseconds,omitempty"`
	// SizeBytes of the image that was pulled.
	// +kubebuilder:validation:Minimum=0
	SizeBytes *int64 `json:"sizeBytes,omitempty"`
}

// ContainerMilestones are the moments of one container's start.
type ContainerMilestones struct {
	// Name of the container in the pod's spec.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// Type of the container; absent where no API server told.
	Type ContainerType `json:"type,omitempty"`
	// Image of the container; absent where the kubelet's event was not heard.
	Image *ContainerImage `json:"image,omitempty"`
	// ImageReady is when the image was known to be on the node.
	ImageReady *Milestone `json:"imageReady,omitempty"`
	// RootMounted is when the container's root file system (its snapshot) was mounted.
	RootMounted *Milestone `json:"rootMounted,omitempty"`
	// Created is when the container's cgroup was made.
	Created *Milestone `json:"created,omitempty"`
	// SeccompApplied is when the runtime's init had put its seccomp filter in force.
	SeccompApplied *Milestone `json:"seccompApplied,omitempty"`
	// EntrypointExec is when the kernel had replaced the runtime's init by the entrypoint.
	EntrypointExec *Milestone `json:"entrypointExec,omitempty"`
	// Linked is when the entrypoint made its first system call that no dynamic
	// linker makes: main had begun at the latest.
	Linked *Milestone `json:"linked,omitempty"`
	// FilesOpenedBeforeMain is how many files had been opened by then: the linker's
	// cache and the shared libraries; 0 for a program that is linked statically.
	// +kubebuilder:validation:Minimum=0
	FilesOpenedBeforeMain *int64 `json:"filesOpenedBeforeMain,omitempty"`
	// FirstListen is when a socket of the container first listened (TCP).
	FirstListen *Milestone `json:"firstListen,omitempty"`
	// FirstAccept is when the container first accepted a connection.
	FirstAccept *Milestone `json:"firstAccept,omitempty"`
	// Started is when the container was seen started: running, and past its
	// startup probe if it has one.
	Started *Milestone `json:"started,omitempty"`
	// Ready is when the container was seen ready: past its readiness probe if it has one.
	Ready *Milestone `json:"ready,omitempty"`
	// Ended is when the entrypoint's process ended, where it did within the birth.
	Ended *Milestone `json:"ended,omitempty"`
}

// Milestones are the moments that every birth has, in their usual order. What
// was not seen is absent.
type Milestones struct {
	// Scheduled is when the binding to this node was heard.
	Scheduled *Milestone `json:"scheduled,omitempty"`
	// SandboxCgroupCreated is when the pod's cgroup was made.
	SandboxCgroupCreated *Milestone `json:"sandboxCgroupCreated,omitempty"`
	// NetworkReady is when the last CNI plugin of the sandbox's set-up had exited.
	NetworkReady *Milestone `json:"networkReady,omitempty"`
	// SandboxStarted is when the sandbox's own entrypoint was executed.
	SandboxStarted *Milestone `json:"sandboxStarted,omitempty"`
	// Containers in the order of their entrypoints.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	Containers []ContainerMilestones `json:"containers,omitempty"`
	// Ready is when the pod's Ready condition was seen True.
	Ready *Milestone `json:"ready,omitempty"`
}
