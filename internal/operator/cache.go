// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"unique"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
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
		if verdict.CertificateJudged(c) {
			leanSibling(c)
		}
	}
	return object, nil
}

// leanSibling keeps of a certificate that has its verdict what those of later births of
// the same workload are compared with. Most certificates are such, one for each pod.
func leanSibling(c *v1alpha1.PodBirthCertificate) {
	c.Spec.Milestones = v1alpha1.Milestones{Scheduled: c.Spec.Milestones.Scheduled}
	c.Spec.Coverage.Events, c.Spec.Coverage.Lost, c.Spec.Coverage.Missing = nil, nil, nil
	k := &c.Spec.KernelStats
	c.Spec.KernelStats = v1alpha1.KernelStats{TotalSyscalls: k.TotalSyscalls, DurationMicroseconds: k.DurationMicroseconds}
	for i := range c.Spec.Phases {
		p := &c.Spec.Phases[i]
		p.Waits, p.WaitMicroseconds = nil, nil
		p.Name, p.Detail, p.Container = shared(p.Name), shared(p.Detail), shared(p.Container)
	}
	c.Status.Comparison, c.Status.Conditions = nil, nil
}

// shared is the one copy of a text that many objects have.
func shared(s string) string { return unique.Make(s).Value() }

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
