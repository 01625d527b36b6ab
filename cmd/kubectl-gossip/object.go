// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// write writes an object in the format that the flags name.
func (g *gossip) write(object runtime.Object, text func() error) error {
	switch g.output {
	case "json":
		out := json.NewEncoder(g.Out)
		out.SetIndent("", "  ")
		return out.Encode(object)
	case "yaml":
		raw, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		_, err = g.Out.Write(raw)
		return err
	}
	return text()
}

// lastBirth is the latest birth of a pod of that name.
func lastBirth(all []v1alpha1.PodBirthCertificate, pod string) *v1alpha1.PodBirthCertificate {
	var last *v1alpha1.PodBirthCertificate
	for i, c := range all {
		if c.Spec.PodRef.Name == pod && (last == nil || last.Spec.Origin.Time.Before(&c.Spec.Origin.Time)) {
			last = &all[i]
		}
	}
	return last
}

// lastWhisper is the whisper of that name, or the latest of a pod of that name.
func lastWhisper(all []v1alpha1.KernelWhisper, name string) *v1alpha1.KernelWhisper {
	var last *v1alpha1.KernelWhisper
	for i, w := range all {
		if w.Name == name {
			return &all[i]
		}
		if w.Spec.PodRef.Name == name && (last == nil || last.Spec.StartTime.Before(&w.Spec.StartTime)) {
			last = &all[i]
		}
	}
	return last
}
