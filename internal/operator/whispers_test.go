// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// The spec of a long episode rests for minutes: a metric that comes late and an
// observer that falls silent are noticed all the same.
func TestNextLook(t *testing.T) {
	lasting := &v1alpha1.KernelWhisper{}
	lasting.Spec.StartTime, lasting.Spec.LastSeenTime = metav1.NewMicroTime(clock), metav1.NewMicroTime(clock)
	lasting.Status.MetricsLie = &v1alpha1.MetricsLie{Source: v1alpha1.ComputedAverage}
	reported := lasting.DeepCopy()
	reported.Status.MetricsLie.Source = v1alpha1.MetricsAPI
	ended := lasting.DeepCopy()
	ended.Spec.EndTime = ended.Spec.LastSeenTime.DeepCopy()
	tests := []struct {
		name    string
		whisper *v1alpha1.KernelWhisper
		after   time.Duration // the last testimony
		want    time.Duration
	}{
		{"no metric yet", lasting, 0, metricRetry},
		{"no metric, and none to come", lasting, verdict.MetricLag, verdict.SilentAfter - verdict.MetricLag},
		{"a metric", reported, time.Minute, verdict.SilentAfter - time.Minute},
		{"silent", reported, verdict.SilentAfter, 0},
		{"ended", ended, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := nextLook(tt.whisper, clock.Add(tt.after)); got != tt.want {
				t.Errorf("next look after %s, want %s", got, tt.want)
			}
		})
	}
}
