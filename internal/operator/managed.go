// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
)

// setLimit is true where a field manager was the last to set a container's CPU limit:
// whoever gives a field another value takes it over.
func setLimit(pod *corev1.Pod, container, manager string) bool {
	for _, entry := range pod.ManagedFields {
		if entry.Manager != manager || entry.FieldsV1 == nil {
			continue
		}
		var owned struct {
			Spec struct {
				Containers map[string]struct {
					Resources struct {
						Limits map[string]any `json:"f:limits"`
					} `json:"f:resources"`
				} `json:"f:containers"`
			} `json:"f:spec"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &owned) != nil {
			continue
		}
		if _, found := owned.Spec.Containers[`k:{"name":"`+container+`"}`].Resources.Limits["f:cpu"]; found {
			return true
		}
	}
	return false
}
