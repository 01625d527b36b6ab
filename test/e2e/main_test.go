// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// patience is how long a condition may take to hold; it is far above what it
// takes, so that only a real fault runs into it.
const patience = 60 * time.Second

// installed is where k8s/ puts both components.
const installed = "kernel-gossip"

// fixture is the cluster that all tests share.
type fixture struct {
	config  *rest.Config
	client  client.WithWatch
	kube    kubernetes.Interface
	node    *localNode // nil where no node of the cluster is this machine
	figures *figures
	// programs are those that were built, in a directory of their own.
	programs programs
}

var shared *fixture

func TestMain(m *testing.M) {
	if os.Getenv("KG_TEST_STAGE") != "e2e" {
		os.Exit(m.Run())
	}
	log.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	f, err := newFixture()
	if err != nil {
		fmt.Fprintf(os.Stderr, "test/e2e: %s\n", err)
		os.Exit(1)
	}
	shared = f
	code := m.Run()
	if err := errors.Join(f.figures.write(), f.programs.remove()); err != nil {
		fmt.Fprintf(os.Stderr, "test/e2e: %s\n", err)
		code = 1
	}
	os.Exit(code)
}

func newFixture() (*fixture, error) {
	if os.Getenv("KUBECONFIG") == "" {
		return nil, errors.New("KUBECONFIG is not set: run make test-e2e")
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	types := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(types), v1alpha1.AddToScheme(types)); err != nil {
		return nil, fmt.Errorf("register types: %w", err)
	}
	f := &fixture{config: config, figures: &figures{}}
	if f.programs.directory, err = os.MkdirTemp("", "kernel-gossip-e2e-"); err != nil {
		return nil, fmt.Errorf("make a directory for programs: %w", err)
	}
	if f.client, err = client.NewWithWatch(config, client.Options{Scheme: types}); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if f.kube, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	f.node, err = findLocalNode(context.Background(), f.client)
	return f, err
}

// cluster gives a test its fixture, or skips it.
func cluster(t *testing.T) *fixture {
	t.Helper()
	if shared == nil {
		t.Skip("needs KG_TEST_STAGE=e2e; run make test-e2e")
	}
	return shared
}

// local gives a test the node that is this machine, or skips it.
func (f *fixture) local(t *testing.T) *localNode {
	t.Helper()
	if f.node == nil {
		t.Skip("no node of the cluster is this machine, or this is not root: the kernel cannot be asked for comparison")
	}
	return f.node
}
