// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// cacheOptions keep of each object what a verdict reads. Lists make up most of
// a certificate; with thousands of nodes they are the difference between
// megabytes and gigabytes. Nothing but the two kinds is cached, pods least of
// all: a read that would start another informer fails.
func cacheOptions() cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.PodBirthCertificate{}: {Transform: leanCertificate},
			&v1alpha1.KernelWhisper{}:       {Transform: leanWhisper},
		},
	}
}

func leanCertificate(object any) (any, error) {
	if c, ok := object.(*v1alpha1.PodBirthCertificate); ok {
		leanMetadata(c)
		c.Spec.Timeline = nil
		c.Spec.Milestones.Containers = nil
		c.Spec.KernelStats.Actors = nil
		c.Spec.KernelStats.TopSyscalls = nil
		c.Spec.Coverage.Missing = nil
	}
	return object, nil
}

func leanWhisper(object any) (any, error) {
	if w, ok := object.(*v1alpha1.KernelWhisper); ok {
		leanMetadata(w)
		w.Spec.Evidence = nil
	}
	return object, nil
}

func leanMetadata(object client.Object) {
	object.SetManagedFields(nil)
	object.SetAnnotations(nil)
	object.SetLabels(nil)
}
