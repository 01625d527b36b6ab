// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Reason is why an object is deleted.
type Reason string

// The reasons.
const (
	// ReasonAge: it has been of no use for longer than the retention allows.
	ReasonAge Reason = "age"
	// ReasonCount: its namespace holds more of its kind than the retention allows.
	ReasonCount Reason = "count"
)

// Doomed is an object to delete.
type Doomed struct {
	Object client.Object
	Reason Reason
}

// LivePods are the UIDs of the pods that exist in a namespace.
type LivePods map[types.UID]struct{}

func (l LivePods) has(ref v1alpha1.PodReference) bool {
	_, found := l[types.UID(ref.UID)]
	return found
}

// candidate is an object that may be deleted, with the time from which its age
// counts.
type candidate struct {
	object client.Object
	since  time.Time
}

// doomedCertificates picks, in one namespace, the certificates to delete: never
// one whose pod exists.
func (r Retention) doomedCertificates(certificates []v1alpha1.PodBirthCertificate, pods LivePods, now time.Time) []Doomed {
	var candidates []candidate
	for i := range certificates {
		if c := &certificates[i]; !pods.has(c.Spec.PodRef) {
			candidates = append(candidates, candidate{c, c.CreationTimestamp.Time})
		}
	}
	return r.doomed(candidates, len(certificates), now.Add(-r.CertificateAge))
}

// doomedWhispers picks, in one namespace, the whispers to delete: never one
// that may be active.
func (r Retention) doomedWhispers(whispers []v1alpha1.KernelWhisper, pods LivePods, now time.Time) []Doomed {
	var candidates []candidate
	for i := range whispers {
		w := &whispers[i]
		if since, over := episodeOver(&w.Spec, pods); over {
			candidates = append(candidates, candidate{w, since})
		}
	}
	return r.doomed(candidates, len(whispers), now.Add(-r.WhisperAge))
}

// episodeOver is true where the observer has ended the episode, or can no
// longer end it because it is gone together with the pod.
func episodeOver(spec *v1alpha1.KernelWhisperSpec, pods LivePods) (since time.Time, over bool) {
	if spec.EndTime != nil {
		return spec.EndTime.Time, true
	}
	return spec.LastSeenTime.Time, !pods.has(spec.PodRef)
}

func (r Retention) doomed(candidates []candidate, held int, horizon time.Time) []Doomed {
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.object.GetName(), b.object.GetName()))
	})
	var out []Doomed
	for _, c := range candidates {
		switch {
		case c.since.Before(horizon):
			out = append(out, Doomed{c.object, ReasonAge})
		case held-len(out) > r.MaxPerNamespace:
			out = append(out, Doomed{c.object, ReasonCount})
		default:
			return out
		}
	}
	return out
}

// needsPods is true where a decision may depend on which pods exist. Most
// namespaces need no list of pods most of the time.
func (r Retention) needsPods(certificates []v1alpha1.PodBirthCertificate, whispers []v1alpha1.KernelWhisper, now time.Time) bool {
	nobody := LivePods{}
	return len(r.doomedCertificates(certificates, nobody, now)) > 0 || len(r.doomedWhispers(whispers, nobody, now)) > 0
}
