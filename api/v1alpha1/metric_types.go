// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MetricsSource is where the metric's claim comes from.
// +kubebuilder:validation:Enum=MetricsAPI;ComputedAverage
type MetricsSource string

// The sources.
const (
	// MetricsAPI is metrics.k8s.io, what kubectl top shows.
	MetricsAPI MetricsSource = "MetricsAPI"
	// ComputedAverage is the average over the whisper's own window, computed
	// from the kernel's counters because there is no figure of metrics.k8s.io.
	ComputedAverage MetricsSource = "ComputedAverage"
)

// MetricsMissing is why there is no figure of metrics.k8s.io.
// +kubebuilder:validation:Enum=NoFigure;NoAnswer;NoAPI
type MetricsMissing string

// The reasons.
const (
	// MetricsNoFigure: it was asked, and has none for the container at this time.
	MetricsNoFigure MetricsMissing = "NoFigure"
	// MetricsNoAnswer: it is there and fails.
	MetricsNoAnswer MetricsMissing = "NoAnswer"
	// MetricsNoAPI: the cluster has none.
	MetricsNoAPI MetricsMissing = "NoAPI"
)

// MetricsLie is what ordinary metrics say of the same container at the same time.
type MetricsLie struct {
	// Source of the claim.
	Source MetricsSource `json:"source"`
	// Missing is why the source is not MetricsAPI; absent where it is, and where the
	// metrics API was not asked.
	Missing MetricsMissing `json:"missing,omitempty"`
	// WindowMilliseconds that the metric averages over.
	// +kubebuilder:validation:Minimum=1
	WindowMilliseconds int64 `json:"windowMilliseconds"`
	// Time at which the metric's window ended.
	Time *metav1.MicroTime `json:"time,omitempty"`
	// UsageMillicores that the metric reports.
	// +kubebuilder:validation:Minimum=0
	UsageMillicores int64 `json:"usageMillicores"`
	// PercentOfLimit is that usage over limitMillicores, with one decimal.
	// +kubebuilder:validation:Pattern=`^[0-9]{1,6}\.[0-9]$`
	PercentOfLimit string `json:"percentOfLimit,omitempty"`
	// LimitMillicores that was in force all through the metric's window, at the level
	// that throttled. Absent for an ancestor's, without a limit, and where it changed
	// within the window or is not known.
	// +kubebuilder:validation:Minimum=1
	LimitMillicores int64 `json:"limitMillicores,omitempty"`
	// Claim in one sentence: what the metric says and why it hides the truth.
	// +kubebuilder:validation:MaxLength=512
	Claim string `json:"claim,omitempty"`
}
