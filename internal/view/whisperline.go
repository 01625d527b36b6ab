// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// WhisperLine tells an episode in one line.
func WhisperLine(w *v1alpha1.KernelWhisper) string {
	w = cleaned(w)
	s, k := &w.Spec, &w.Spec.KernelTruth
	line := fmt.Sprintf("whisper  %s/%s  container %s ", w.Namespace, s.PodRef.Name, s.ContainerName)
	if s.EndTime != nil {
		line += "ended after " + s.EndTime.Sub(s.StartTime.Time).Round(100*time.Millisecond).String() + ", "
	}
	if s.Reason == v1alpha1.ReasonCPUContention {
		line += waitingOf(w)
	} else {
		line += fmt.Sprintf("throttled in %s%% of periods (%d of %d) by the %s's limit of %s; used %s, held back from %s",
			k.ThrottledPercent, k.ThrottledPeriods, k.Periods, levelOf(k), limitOf(k), Millicores(k.UsageMillicores), Millicores(heldBack(k)))
	}
	if k.StallP99Microseconds != nil {
		line += "; stall p99 " + span(*k.StallP99Microseconds)
		if elsewhere := recordedElsewhere(s); elsewhere != "" {
			line += ", recorded " + elsewhere
		}
	}
	return line
}

// waitingOf is contention: how long it waits for a CPU and who has it.
func waitingOf(w *v1alpha1.KernelWhisper) string {
	k := &w.Spec.KernelTruth
	out := "waits for a CPU"
	if k.RunQueueWaitP99Microseconds != nil {
		out += ", p99 " + span(*k.RunQueueWaitP99Microseconds)
	}
	if b := w.Spec.Bursts; b != nil && len(b.Preemptors) > 0 {
		out += ", most behind " + preemptorOf(b.Preemptors[0])
	}
	return out + "; used " + Millicores(k.UsageMillicores)
}

// heldBack is the CPU that the quota kept from the container.
func heldBack(k *v1alpha1.KernelTruth) int64 {
	return max(0, k.DemandMillicores-k.UsageMillicores)
}
