// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/pods"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/kube"
)

// cluster is the observer's side of a Kubernetes cluster.
type cluster struct {
	host    string
	client  kubernetes.Interface
	dynamic dynamic.Interface
	// metadata lists objects without their content.
	metadata metadata.Interface
	sink     *kube.Sink
	asker    *pods.Asker
	pods     chan observer.PodUpdate
	open     chan []*v1alpha1.KernelWhisper
	earlier  chan map[string][]string
	synced   chan struct{}
}

// connect finds the cluster that the options name. It returns nil where there
// is none to write to. It does not wait for the API server to answer.
func connect(o *options, log *slog.Logger) (*cluster, error) {
	if o.cluster == "off" {
		return nil, nil
	}
	config, err := restConfig(o.kubeconfig)
	if errors.Is(err, errNoCluster) && o.cluster == "auto" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	config.UserAgent = "kernel-observer"
	config.QPS, config.Burst = 20, 100
	client, err := kubernetes.NewForConfig(compact(config))
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	dyn, err := dynamic.NewForConfig(unpaced(config))
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	// A client of its own: certificates need not wait for what is asked.
	asking, err := kubernetes.NewForConfig(compact(config))
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	return &cluster{
		asker: pods.NewAsker(asking, log),
		host:  config.Host, client: client, dynamic: dyn, metadata: meta, sink: kube.New(dyn, log),
		pods:    make(chan observer.PodUpdate, 1024),
		open:    make(chan []*v1alpha1.KernelWhisper, 1),
		earlier: make(chan map[string][]string, 1),
		synced:  make(chan struct{}),
	}, nil
}

// compact is a configuration whose clients take pods, namespaces and events in protobuf,
// as the kubelet does: that is cheaper to read, and the API server has it written already.
func compact(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return c
}

// unpaced is a configuration whose clients send at once: the sink keeps to a rate of
// its own.
func unpaced(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.QPS = -1
	return c
}

var errNoCluster = errors.New("no Kubernetes cluster: set KUBECONFIG or --kubeconfig, or run in a pod (--cluster=off writes to standard output only)")

func restConfig(file string) (*rest.Config, error) {
	if file == "" && os.Getenv(clientcmd.RecommendedConfigPathEnvVar) == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, errNoCluster
		}
		if err != nil {
			return nil, fmt.Errorf("read the pod's service account: %w", err)
		}
		return config, nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = file
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, fmt.Errorf("the kubeconfig %q names no cluster: does the file exist? (--cluster=off needs none)", rules.GetLoadingPrecedence())
	}
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	return config, nil
}

func (c *cluster) describe() string {
	if c == nil {
		return "none"
	}
	return c.host
}

// run watches the node's pods and writes what was found.
func (c *cluster) run(ctx context.Context, node string, log *slog.Logger) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return pods.Watch(ctx, c.client, node, c.pods, c.synced) })
	group.Go(func() error {
		c.sink.Run(ctx)
		return nil
	})
	group.Go(func() error {
		c.asker.Run(ctx, c.pods)
		return nil
	})
	group.Go(func() error {
		c.resume(ctx, node, log)
		return nil
	})
	return group.Wait()
}

// resume hands over the whispers that an earlier run left open, and the pods that it
// has told of, as soon as the API server tells them.
func (c *cluster) resume(ctx context.Context, node string, log *slog.Logger) {
	const first, longest = 5 * time.Second, 2 * time.Minute
	for again := first; ; again = min(2*again, longest) {
		open, err := kube.OpenWhispers(ctx, c.dynamic, node)
		var earlier map[string][]string
		if err == nil {
			earlier, err = kube.CertifiedPods(ctx, c.metadata, c.dynamic, node)
		}
		if err == nil {
			c.open <- open
			c.earlier <- earlier
			return
		}
		if ctx.Err() != nil {
			return
		}
		log.Warn("cannot read what an earlier run has told, trying again", "in", again, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// ready is true once the pods of the node have been told.
func (c *cluster) ready() bool {
	if c == nil {
		return true
	}
	select {
	case <-c.synced:
		return true
	default:
		return false
	}
}
