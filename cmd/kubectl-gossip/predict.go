// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// predicted is what a whisper's curve says of a limit: one entry at the very
// limit, two on either side of it, or none and why.
func predicted(w *v1alpha1.KernelWhisper, limit int64) (at []v1alpha1.Predicted, why string) {
	if pr := w.Status.Proposal; pr != nil && pr.Predicted != nil && pr.Predicted.LimitMillicores == limit {
		return []v1alpha1.Predicted{*pr.Predicted}, ""
	}
	if w.Spec.Counterfactual == nil {
		return nil, "its bursts were not recorded"
	}
	curve := w.Spec.Counterfactual.Curve
	i := slices.IndexFunc(curve, func(x v1alpha1.Predicted) bool { return x.LimitMillicores >= limit })
	switch {
	case i >= 0 && curve[i].LimitMillicores == limit:
		return curve[i : i+1], ""
	case i > 0:
		return curve[i-1 : i+1], ""
	}
	return nil, fmt.Sprintf("the curve reaches from %dm to %dm", curve[0].LimitMillicores, curve[len(curve)-1].LimitMillicores)
}
