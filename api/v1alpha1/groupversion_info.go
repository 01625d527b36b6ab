// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the two resources through which the kernel's testimony
// reaches people and programs: PodBirthCertificate and KernelWhisper.
//
// In both, the observer writes spec (what the kernel did) and the operator
// writes status (what it means). Every string and list is bounded, so that a
// certificate stays under 16 KiB and a whisper under 8 KiB. A field that was
// not observed is absent; no field has a default.
//
// +kubebuilder:object:generate=true
// +groupName=kernel-gossip.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package.
var GroupVersion = schema.GroupVersion{Group: "kernel-gossip.io", Version: "v1alpha1"}

// AddToScheme registers both resources and their lists with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&PodBirthCertificate{}, &PodBirthCertificateList{},
		&KernelWhisper{}, &KernelWhisperList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
