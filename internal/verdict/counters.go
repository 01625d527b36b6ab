// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// byCounters is the recommendation where nothing was recorded, or nothing that
// was recorded matters.
func byCounters(spec *v1alpha1.KernelWhisperSpec) string {
	truth := &spec.KernelTruth
	switch {
	case truth.ThrottledAt == v1alpha1.ThrottledAtAncestor:
		return fmt.Sprintf("The quota of %s per %s belongs to a cgroup above the pod, so a higher limit on the "+
			"container changes nothing; spec.evidence names the cgroup, and whoever set its quota can raise it.",
			exactDuration(truth.QuotaMicroseconds), exactDuration(truth.PeriodMicroseconds))
	case demandExceedsLimit(truth):
		return fmt.Sprintf("Container %s used %s of CPU and was held back from %s more by %s of %s; a limit of %s on the "+
			"container would have let both run. That is an average: a burst within one period of %s can still be stopped, "+
			"and CPU time that other workloads took is not in it.",
			plain(spec.ContainerName), millicores(truth.UsageMillicores), millicores(truth.DemandMillicores-truth.UsageMillicores),
			limitOwner(truth), millicores(limitMillicores(truth)), millicores(truth.DemandMillicores),
			exactDuration(truth.PeriodMicroseconds))
	default:
		return fmt.Sprintf("What container %s used and was held back from is %s of CPU on average, within %s of %s: it is stopped by "+
			"bursts of more than %s of CPU time in one period of %s, and averages do not say which limit would hold them.",
			plain(spec.ContainerName), millicores(truth.DemandMillicores), limitOwner(truth), millicores(limitMillicores(truth)),
			exactDuration(truth.QuotaMicroseconds), exactDuration(truth.PeriodMicroseconds))
	}
}

func limitOwner(truth *v1alpha1.KernelTruth) string {
	if truth.ThrottledAt == v1alpha1.ThrottledAtPod {
		return "the pod's limit"
	}
	return "its limit"
}
