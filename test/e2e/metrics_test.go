// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const metricsGroupVersion = "metrics.k8s.io/v1beta1"

// metricsPatience is for two rounds of asking the kubelet, each of which may
// have to wait for the kubelet's own.
const metricsPatience = 2 * patience

// metricsInterval is the time between two questions; an answer holds for 15 s.
const metricsInterval = 250 * time.Millisecond

// metricsServed says whether a metrics server answers on this cluster.
func metricsServed(t *testing.T, f *fixture) bool {
	t.Helper()
	_, err := f.kube.Discovery().ServerResourcesForGroupVersion(metricsGroupVersion)
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatalf("ask for %s: %v", metricsGroupVersion, err)
	}
	return err == nil
}

// metricsSources are where a metric's claim may come from on this cluster. A
// metrics server has no figure of a container that has just started.
func metricsSources(t *testing.T, f *fixture) []v1alpha1.MetricsSource {
	t.Helper()
	sources := []v1alpha1.MetricsSource{v1alpha1.ComputedAverage}
	if metricsServed(t, f) {
		sources = append(sources, v1alpha1.MetricsAPI)
	}
	return sources
}

// TestTheMetricIsQuoted holds what a whisper says of metrics.k8s.io against
// what that API answers to somebody else.
func TestTheMetricIsQuoted(t *testing.T) {
	f := cluster(t)
	if !metricsServed(t, f) {
		t.Skipf("this cluster does not serve %s: run make node-metrics-server, or install metrics-server on yours", metricsGroupVersion)
	}
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("quoted", shell(burns), cpuLimit("100m"))
	answers := askMetrics(t, f, pod)
	told := s.whisper(pod, "at all", patience, anyState)

	first := s.whisper(pod, "with a metric", metricsPatience, reported)
	f.figures.add(t, "metrics: whisper to the figure of metrics.k8s.io in it", "%s", first.at.Sub(told.at).Round(time.Millisecond))
	wantQuote(t, first.object, answers)
	wantVerdict(t, first.object, []v1alpha1.MetricsSource{v1alpha1.MetricsAPI})

	next := s.whisper(pod, "with a later metric", metricsPatience, func(w *v1alpha1.KernelWhisper) bool {
		return reported(w) && w.Status.MetricsLie.Time.After(first.object.Status.MetricsLie.Time.Time)
	})
	wantQuote(t, next.object, answers)

	s.exec(pod, "touch", "/tmp/stop")
	end := s.whisper(pod, "ended and judged", patience, func(w *v1alpha1.KernelWhisper) bool { return ended(w) && judged(w) })
	wantVerdict(t, end.object, []v1alpha1.MetricsSource{v1alpha1.MetricsAPI}) // what was said last is kept
	wantQuote(t, end.object, answers)
}

func reported(w *v1alpha1.KernelWhisper) bool {
	return judged(w) && w.Status.MetricsLie != nil && w.Status.MetricsLie.Source == v1alpha1.MetricsAPI
}

// wantQuote fails unless the whisper has what the metrics API said of that time.
func wantQuote(t *testing.T, w *v1alpha1.KernelWhisper, answers *metricsAnswers) {
	t.Helper()
	lie := w.Status.MetricsLie
	answer := answers.await(t, lie.Time.Time)
	t.Logf("generation %d quotes %dm over %d ms at %s, %s %% of the limit; the API said %s",
		w.Generation, lie.UsageMillicores, lie.WindowMilliseconds, lie.Time.UTC().Format(time.RFC3339), lie.PercentOfLimit, answer)
	if lie.UsageMillicores != answer.millicores || lie.WindowMilliseconds != answer.window.Milliseconds() {
		t.Errorf("%dm over %d ms, the metrics API said %dm over %s", lie.UsageMillicores, lie.WindowMilliseconds, answer.millicores, answer.window)
	}
	truth := w.Spec.KernelTruth
	limit := 1000 * float64(truth.QuotaMicroseconds) / float64(truth.PeriodMicroseconds)
	if want := 100 * float64(answer.millicores) / limit; math.Abs(parse(t, lie.PercentOfLimit)-want) > 0.05 {
		t.Errorf("percentOfLimit %s, want %.2f of %.0fm", lie.PercentOfLimit, want, limit)
	}
	if from := answer.timestamp.Add(-answer.window); answer.timestamp.Before(w.Spec.StartTime.Time) || from.After(w.Spec.LastSeenTime.Time) {
		t.Errorf("the metric is of %s to %s, the episode of %s to %s", from, answer.timestamp, w.Spec.StartTime, w.Spec.LastSeenTime)
	}
}

// metricsAnswer is what the metrics API said of one container.
type metricsAnswer struct {
	timestamp  time.Time
	window     time.Duration
	millicores int64
}

func (a metricsAnswer) String() string {
	return fmt.Sprintf("%dm over %s at %s", a.millicores, a.window, a.timestamp.UTC().Format(time.RFC3339))
}

// metricsAnswers are all that it said of it, each once.
type metricsAnswers struct {
	mu   sync.Mutex
	said []metricsAnswer
}

// askMetrics reads a pod's metrics over and over until the test ends, without
// the client that the operator uses.
func askMetrics(t *testing.T, f *fixture, pod *corev1.Pod) *metricsAnswers {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	answers := &metricsAnswers{}
	go func() {
		defer close(done)
		tick := time.NewTicker(metricsInterval)
		defer tick.Stop()
		for {
			answer, err := askMetricsOnce(ctx, f, pod)
			switch {
			case err == nil:
				answers.add(answer)
			case !apierrors.IsNotFound(err) && ctx.Err() == nil:
				t.Errorf("ask %s of pod %s: %v", metricsGroupVersion, pod.Name, err)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return answers
}

func askMetricsOnce(ctx context.Context, f *fixture, pod *corev1.Pod) (metricsAnswer, error) {
	raw, err := f.kube.Discovery().RESTClient().Get().
		AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces", pod.Namespace, "pods", pod.Name).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return metricsAnswer{}, err
	}
	var said struct {
		Timestamp  time.Time `json:"timestamp"`
		Window     string    `json:"window"`
		Containers []struct {
			Name  string            `json:"name"`
			Usage map[string]string `json:"usage"`
		} `json:"containers"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return metricsAnswer{}, err
	}
	answer := metricsAnswer{timestamp: said.Timestamp}
	if answer.window, err = time.ParseDuration(said.Window); err != nil {
		return metricsAnswer{}, err
	}
	for _, c := range said.Containers {
		if c.Name != app {
			continue
		}
		usage, err := resource.ParseQuantity(c.Usage["cpu"])
		if err != nil {
			return metricsAnswer{}, err
		}
		answer.millicores = usage.MilliValue()
	}
	return answer, nil
}

func (a *metricsAnswers) add(answer metricsAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.said); n == 0 || a.said[n-1] != answer {
		a.said = append(a.said, answer)
	}
}

// await returns the answer with this timestamp, which somebody else may have read
// a moment earlier.
func (a *metricsAnswers) await(t *testing.T, timestamp time.Time) metricsAnswer {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(metricsInterval) {
		a.mu.Lock()
		said := slices.Clone(a.said)
		a.mu.Unlock()
		if i := slices.IndexFunc(said, func(answer metricsAnswer) bool { return answer.timestamp.Equal(timestamp) }); i >= 0 {
			return said[i]
		}
		if n := len(said); n > 0 && said[n-1].timestamp.After(timestamp) {
			t.Fatalf("%s gave no answer of %s; it gave %s", metricsGroupVersion, timestamp.UTC(), said)
		}
	}
	t.Fatalf("%s gave no answer of %s within %s", metricsGroupVersion, timestamp.UTC(), patience)
	return metricsAnswer{}
}
