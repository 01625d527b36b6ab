// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

var errNoCluster = errors.New("no Kubernetes cluster: set KUBECONFIG, pass --kubeconfig, or run inside a pod")

func (s *settings) run(ctx context.Context, stderr io.Writer) error {
	if err := s.operator.Validate(); err != nil {
		return &usageError{err}
	}
	handler, err := logHandler(stderr, s.logFormat, s.logLevel)
	if err != nil {
		return &usageError{err}
	}
	shareLog(handler)
	config, err := clusterConfig(s.kubeconfig)
	if err != nil {
		return err
	}
	return operator.Run(ctx, config, s.operator, slog.New(handler))
}

// shareLog gives the libraries the program's own log.
func shareLog(handler slog.Handler) {
	logger := logr.FromSlogHandler(handler)
	log.SetLogger(logger)
	klog.SetLogger(logger)
}

func logHandler(out io.Writer, format, level string) (slog.Handler, error) {
	var options slog.HandlerOptions
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: use debug, info, warn or error", level)
	}
	options.Level = least
	switch format {
	case "text":
		return slog.NewTextHandler(out, &options), nil
	case "json":
		return slog.NewJSONHandler(out, &options), nil
	default:
		return nil, fmt.Errorf("log format %q: use text or json", format)
	}
}

// clusterConfig looks for a cluster as kubectl does: the file that is named,
// then KUBECONFIG, then the service account of the pod that this runs in.
func clusterConfig(path string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = path
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	switch {
	case err == nil:
		// The client's own rate (5 a second by default) would make a big cluster wait for
		// its verdicts. Few workers write at a time, and the API server has its own fairness.
		config.QPS = -1
		return config, nil
	case clientcmd.IsEmptyConfig(err), errors.Is(err, rest.ErrNotInCluster):
		return nil, errNoCluster
	default:
		return nil, fmt.Errorf("load kubeconfig: %w", err)
	}
}
