// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubetesting "k8s.io/client-go/testing"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"
	"k8s.io/metrics/pkg/client/clientset/versioned/fake"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// metricsServer answers every question with one object or one error, and
// counts the questions.
type metricsServer struct {
	answer *v1beta1.PodMetrics
	err    error
	asked  int
	now    time.Time
}

func (s *metricsServer) reader(t *testing.T) *metricsAPI {
	t.Helper()
	telemetry, err := NewTelemetry(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	client := fake.NewSimpleClientset()
	client.PrependReactor("get", "pods", func(kubetesting.Action) (bool, runtime.Object, error) {
		s.asked++
		return true, s.answer, s.err
	})
	return &metricsAPI{client: client.MetricsV1beta1(), telemetry: telemetry, now: func() time.Time { return s.now }}
}

func podMetrics(window time.Duration) *v1beta1.PodMetrics {
	return &v1beta1.PodMetrics{
		Timestamp: metav1.NewTime(clock),
		Window:    metav1.Duration{Duration: window},
		Containers: []v1beta1.ContainerMetrics{
			{Name: "sidecar", Usage: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("7m")}},
			{Name: "app", Usage: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("99812345n")}},
		},
	}
}

func TestMetricOfContainer(t *testing.T) {
	notFound := apierrors.NewNotFound(schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}, "burner")
	noFigure := &verdict.Metric{Missing: v1alpha1.MetricsNoFigure}
	tests := []struct {
		name      string
		server    metricsServer
		container string
		want      *verdict.Metric
		result    string
	}{
		{"a figure", metricsServer{answer: podMetrics(15 * time.Second)}, "app",
			&verdict.Metric{UsageMillicores: 100, Window: 15 * time.Second, End: clock}, resultFigure},
		{"another container only", metricsServer{answer: podMetrics(15 * time.Second)}, "gone", noFigure, resultNone},
		{"no window", metricsServer{answer: podMetrics(0)}, "app", noFigure, resultNone},
		{"no metrics yet", metricsServer{err: notFound}, "app", noFigure, resultNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reader := tt.server.reader(t)
			got, err := reader.Container(t.Context(), "shop", "burner", tt.container)
			if err != nil {
				t.Fatal(err)
			}
			if got == nil || *got != *tt.want {
				t.Errorf("metric %+v, want %+v", got, tt.want)
			}
			var counter dto.Metric
			if err := reader.telemetry.requests.WithLabelValues(tt.result).Write(&counter); err != nil || counter.GetCounter().GetValue() != 1 {
				t.Errorf("%s: counted %v, error %v, want 1", tt.result, counter.GetCounter(), err)
			}
		})
	}
}

// A cluster without the API is not asked for every whisper; a pod without
// metrics is no reason to stop asking.
func TestAbsentMetricsAPIIsLeftAlone(t *testing.T) {
	pods := schema.GroupResource{Group: "metrics.k8s.io", Resource: "pods"}
	tests := []struct {
		name  string
		err   error
		asked int
		why   v1alpha1.MetricsMissing
	}{
		{"no API", apierrors.NewGenericServerResponse(http.StatusNotFound, "GET", pods, "burner", "404 page not found", 0, true), 1, v1alpha1.MetricsNoAPI},
		{"no metrics of this pod", apierrors.NewNotFound(pods, "burner"), 2, v1alpha1.MetricsNoFigure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := &metricsServer{err: tt.err, now: clock}
			reader := server.reader(t)
			for range 2 {
				if metric, err := reader.Container(t.Context(), "shop", "burner", "app"); err != nil || metric == nil || metric.Missing != tt.why {
					t.Errorf("metric %+v, error %v, want %s", metric, err, tt.why)
				}
			}
			if server.asked != tt.asked {
				t.Errorf("asked %d times, want %d", server.asked, tt.asked)
			}
		})
	}
}

// A metrics API that is down slows nobody: it is asked once, then left alone
// for half a minute.
func TestFailingMetricsAPIIsLeftAlone(t *testing.T) {
	server := &metricsServer{err: apierrors.NewServiceUnavailable("the server is currently unable to handle the request"), now: clock}
	reader := server.reader(t)
	var metric *verdict.Metric
	ask := func() (err error) {
		metric, err = reader.Container(t.Context(), "shop", "burner", "app")
		return err
	}
	if err := ask(); !apierrors.IsServiceUnavailable(errors.Unwrap(err)) {
		t.Errorf("error %v, want service unavailable", err)
	}
	server.now = clock.Add(metricsPause - time.Second)
	if err := ask(); err != nil || server.asked != 1 || metric == nil || metric.Missing != v1alpha1.MetricsNoAnswer {
		t.Errorf("asked %d times with error %v during the pause, want 1 and none", server.asked, err)
	}
	server.now, server.err, server.answer = clock.Add(metricsPause), nil, podMetrics(time.Second)
	if err := ask(); err != nil || server.asked != 2 || metric == nil || metric.Missing != "" {
		t.Errorf("asked %d times with error %v after the pause, want 2 and none", server.asked, err)
	}
}
