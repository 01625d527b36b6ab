// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// Values of the label "result".
const (
	resultFigure = "figure"
	resultNone   = "none"
	resultError  = "error"
)

// A metrics API that fails or is not there is left alone for a while: its
// callers have an answer without it, a dead backend answers slowly, and a
// cluster without the API should not be asked for every whisper.
const (
	metricsTimeout = 2 * time.Second
	metricsPause   = 30 * time.Second
)

// metricsAPI reads metrics.k8s.io. It is safe for concurrent use.
type metricsAPI struct {
	client    metricsclient.PodMetricsesGetter
	telemetry *Telemetry
	now       func() time.Time

	mu          sync.Mutex
	pausedUntil time.Time
	pausedFor   v1alpha1.MetricsMissing
}

// Container implements containerMetrics. During a pause the answer is why it pauses.
func (m *metricsAPI) Container(ctx context.Context, namespace, pod, container string) (*verdict.Metric, error) {
	if why := m.paused(); why != "" {
		return &verdict.Metric{Missing: why}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	answer, err := m.client.PodMetricses(namespace).Get(ctx, pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		m.telemetry.requests.WithLabelValues(resultNone).Inc()
		if noSuchAPI(err) {
			m.pause(v1alpha1.MetricsNoAPI)
			return &verdict.Metric{Missing: v1alpha1.MetricsNoAPI}, nil
		}
		return &verdict.Metric{Missing: v1alpha1.MetricsNoFigure}, nil
	case err != nil:
		m.telemetry.requests.WithLabelValues(resultError).Inc()
		m.pause(v1alpha1.MetricsNoAnswer)
		return nil, fmt.Errorf("ask metrics.k8s.io: %w", err)
	}
	metric := metricOf(answer, container)
	m.count(metric)
	return metric, nil
}

// noSuchAPI tells an API server that knows no such path from a metrics API that
// knows no such pod.
func noSuchAPI(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

func metricOf(answer *v1beta1.PodMetrics, container string) *verdict.Metric {
	for _, c := range answer.Containers {
		if c.Name != container || answer.Window.Duration <= 0 {
			continue
		}
		return &verdict.Metric{
			UsageMillicores: c.Usage.Cpu().MilliValue(),
			Window:          answer.Window.Duration,
			End:             answer.Timestamp.Time,
		}
	}
	return &verdict.Metric{Missing: v1alpha1.MetricsNoFigure}
}

func (m *metricsAPI) count(metric *verdict.Metric) {
	result := resultFigure
	if metric.Missing != "" {
		result = resultNone
	}
	m.telemetry.requests.WithLabelValues(result).Inc()
}

// paused says why it is not asked now, and is empty where it is.
func (m *metricsAPI) paused() v1alpha1.MetricsMissing {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now().Before(m.pausedUntil) {
		return m.pausedFor
	}
	return ""
}

func (m *metricsAPI) pause(why v1alpha1.MetricsMissing) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pausedUntil, m.pausedFor = m.now().Add(metricsPause), why
}
