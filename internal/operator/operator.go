// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// leaseName is the Lease by which replicas agree on a leader.
const leaseName = "kernel-gossip-operator"

// Run judges and sweeps until the context ends, which is no error; the caller is
// expected to exit then, for before the first list of objects Run waits for nothing.
// It returns an error where the API server or the CRDs do not appear within the
// start-up timeout, or where leadership is lost; the caller is expected to be restarted.
func Run(ctx context.Context, config *rest.Config, options Options, logger *slog.Logger) error {
	if err := options.Validate(); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	w := &work{config: config, options: options, logger: logger}
	var alive context.Context
	alive, w.end = context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- w.run(ctx, alive) }()
	select {
	case err := <-done:
		w.end()
		if ctx.Err() == nil || w.listed.Load() {
			return err
		}
	case <-ctx.Done():
		if w.listed.Load() {
			w.end()
			return <-done
		}
	}
	// Nothing was judged, and no Lease is held. What was under way is left behind, to end
	// with the process: the manager waits for the first list without looking whether it
	// has to end, and some questions to the API server take no context.
	logger.Info("ended before the first list of objects was complete")
	return nil
}

// work is one run.
type work struct {
	config  *rest.Config
	options Options
	logger  *slog.Logger
	// listed is true once all objects were seen; only from then on is there anything to
	// end in order.
	listed atomic.Bool
	end    context.CancelFunc
}

// run prepares until ctx ends, and works as long as alive lasts.
func (w *work) run(ctx, alive context.Context) error {
	if err := preflight(ctx, w.config, w.options, w.logger); err != nil {
		return err
	}
	mgr, err := newManager(w.config, w.options, w.logger)
	if err != nil {
		return err
	}
	if err := register(ctx, mgr, w.options); err != nil {
		return err
	}
	go func() { w.listed.Store(mgr.GetCache().WaitForCacheSync(alive)) }()
	if err := mgr.Start(alive); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// preflight waits for what the operator cannot work without.
func preflight(ctx context.Context, config *rest.Config, options Options, logger *slog.Logger) error {
	err := waitForAPI(ctx, config, options.StartupTimeout, logger)
	if err != nil || !options.LeaderElection {
		return err
	}
	return waitForLease(ctx, config, options.Namespace, options.StartupTimeout, logger)
}

func newManager(config *rest.Config, options Options, logger *slog.Logger) (manager.Manager, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("scheme: %w", err)
		}
	}
	mgr, err := manager.New(config, manager.Options{
		Scheme:                        scheme,
		Logger:                        logr.FromSlogHandler(logger.Handler()),
		Cache:                         cacheOptions(),
		Metrics:                       server.Options{BindAddress: options.MetricsAddress},
		HealthProbeBindAddress:        options.HealthAddress,
		LeaderElection:                options.LeaderElection,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       options.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("manager: %w", err)
	}
	return mgr, nil
}

// register adds everything that runs to the manager.
func register(ctx context.Context, mgr manager.Manager, options Options) error {
	telemetry, err := NewTelemetry(metrics.Registry)
	if err != nil {
		return err
	}
	metricsGetter, err := metricsclient.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return fmt.Errorf("client of metrics.k8s.io: %w", err)
	}
	status := statusWriter{client: mgr.GetClient(), telemetry: telemetry}
	whispers := &whisperReconciler{
		client: mgr.GetClient(), status: status, telemetry: telemetry, target: options.Target, now: time.Now,
		metrics: &metricsAPI{client: metricsGetter, telemetry: telemetry, now: time.Now},
	}
	if options.AutoResize {
		whispers.client, whispers.automation = mgr.GetAPIReader(), newResizer(mgr, options, telemetry)
	}
	if err := whispers.register(mgr, options.Workers); err != nil {
		return err
	}
	certificates := &certificateReconciler{client: mgr.GetClient(), status: status, now: time.Now}
	if err := certificates.register(ctx, mgr, options.Workers); err != nil {
		return err
	}
	// A sweep begins with the controllers and reads both kinds from the cache: both have
	// to be known to it before it starts, as certificates are by their index.
	if _, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.KernelWhisper{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("read whispers: %w", err)
	}
	sweeper := &Sweeper{
		Client: mgr.GetClient(), Pods: mgr.GetAPIReader(), Retention: options.Retention, Telemetry: telemetry, Now: time.Now,
	}
	if err := mgr.Add(sweeper); err != nil {
		return fmt.Errorf("add retention: %w", err)
	}
	return addProbes(mgr)
}

func newResizer(mgr manager.Manager, options Options, telemetry *Telemetry) *resizer {
	return &resizer{
		fresh: mgr.GetAPIReader(), client: mgr.GetClient(), events: mgr.GetEventRecorder(FieldOwner), telemetry: telemetry,
		bounds: options.ResizeBounds, excluded: []string{metav1.NamespaceSystem, options.Namespace}, now: time.Now,
	}
}

func addProbes(mgr manager.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("add health probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("informers", informersSynced(mgr)); err != nil {
		return fmt.Errorf("add readiness probe: %w", err)
	}
	return nil
}

// informersSynced makes a replica ready once it has seen all objects. It does
// not ask for leadership: a replica in waiting is ready to take over.
func informersSynced(mgr manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return fmt.Errorf("the first list of objects is not complete")
		}
		return nil
	}
}
