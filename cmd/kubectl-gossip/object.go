// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// write writes an object in the format that the flags name.
func (g *gossip) write(object client.Object, kind string, text func() error) error {
	if g.output == formatText {
		return text()
	}
	tidy(object, kind)
	return g.writeRaw(object)
}

// tidy makes an object one for a document. The API server's answers to typed clients
// leave out the kind, so it is put back.
func tidy(object client.Object, kind string) {
	object.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	object.SetManagedFields(nil) // as kubectl does
}

// writeRaw writes a document as JSON or YAML.
func (g *gossip) writeRaw(document any) error {
	raw, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	if g.output == formatYAML {
		if raw, err = view.YAML(raw); err != nil {
			return err
		}
	} else {
		raw = append(view.EscapeControls(raw), '\n')
	}
	_, err = g.Out.Write(raw)
	return err
}

// lastBirth is the latest birth of a pod of that name among last, which may be nil,
// and some others.
func lastBirth(last *v1alpha1.PodBirthCertificate, others []v1alpha1.PodBirthCertificate, pod string) *v1alpha1.PodBirthCertificate {
	for i := range others {
		c := &others[i]
		if c.Spec.PodRef.Name == pod && (last == nil || last.Spec.Origin.Time.Before(&c.Spec.Origin.Time)) {
			last = c
		}
	}
	return last
}

// lastWhisper is the whisper of that name, or the latest of a pod of that name, among
// last, which may be nil, and some others.
func lastWhisper(last *v1alpha1.KernelWhisper, others []v1alpha1.KernelWhisper, name string) *v1alpha1.KernelWhisper {
	if last != nil && last.Name == name {
		return last
	}
	for i := range others {
		w := &others[i]
		if w.Name == name {
			return w
		}
		if w.Spec.PodRef.Name == name && (last == nil || last.Spec.StartTime.Before(&w.Spec.StartTime)) {
			last = w
		}
	}
	return last
}
