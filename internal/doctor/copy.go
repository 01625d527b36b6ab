// SPDX-License-Identifier: Apache-2.0

package doctor

import "encoding/json"

// DeepCopy is a copy that shares nothing.
func (r *Report) DeepCopy() *Report { return deepCopy(r) }

// DeepCopy is a copy that shares nothing.
func (c *Cluster) DeepCopy() *Cluster { return deepCopy(c) }

// deepCopy goes by way of JSON, which these documents are made for: it cannot fail
// for types without channels and functions.
func deepCopy[T any](of *T) *T {
	out := new(T)
	if raw, err := json.Marshal(of); err == nil {
		_ = json.Unmarshal(raw, out)
	}
	return out
}
