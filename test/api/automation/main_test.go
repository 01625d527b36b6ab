// SPDX-License-Identifier: Apache-2.0

package automation_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

const (
	operatorUser = "system:serviceaccount:kernel-gossip:operator"
	manifests    = "../../../k8s"
	patience     = 30 * time.Second
	// startTime bounds the start of etcd and the API server, on a machine that is busy.
	startTime = 2 * time.Minute
)

// shared is the control plane's configuration, nil where the stage was not prepared.
var shared *rest.Config

func TestMain(m *testing.M) {
	if os.Getenv("KG_TEST_STAGE") != "api" {
		os.Exit(m.Run())
	}
	code, err := runWithCluster(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "test/api/automation: %s\n", err)
		code = 1
	}
	os.Exit(code)
}

func runWithCluster(m *testing.M) (code int, err error) {
	log.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(logOutput(), nil)))
	bin := os.Getenv("KG_NODE_BIN")
	if bin == "" {
		return 1, errors.New("KG_NODE_BIN is not set: it has to name the directory of etcd, kube-apiserver and kubectl")
	}
	useExisting := false
	environment := &envtest.Environment{BinaryAssetsDirectory: bin, UseExistingCluster: &useExisting, ControlPlaneStartTimeout: startTime}
	if shared, err = environment.Start(); err != nil {
		return 1, fmt.Errorf("start etcd and the API server: %w", err)
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()
	// The rights of the optional manifest on top of the default ones, and no others.
	for _, path := range []string{manifests, manifests + "/optional/auto-resize.yaml"} {
		if err := apply(bin, environment.KubeConfig, path); err != nil {
			return 1, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- operator.Run(ctx, asOperator(), automated(), slog.New(slog.NewTextHandler(logOutput(), nil)))
	}()
	code = m.Run()
	cancel()
	return code, <-done
}

func automated() operator.Options {
	options := operator.DefaultOptions()
	options.MetricsAddress, options.HealthAddress = "0", "0"
	options.AutoResize = true
	return options
}

func logOutput() io.Writer {
	if os.Getenv("KG_TEST_LOG") != "" {
		return os.Stderr
	}
	return io.Discard
}

func apply(bin string, kubeconfig []byte, path string) error {
	dir, err := os.MkdirTemp("", "kernel-gossip-automation-")
	if err != nil {
		return fmt.Errorf("directory for the kubeconfig: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	out, err := exec.Command(filepath.Join(bin, "kubectl"), "--kubeconfig="+file, "apply", "-f", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("apply %s: %w: %s", path, err, out)
	}
	return nil
}

func asOperator() *rest.Config {
	config := rest.CopyConfig(shared)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: operatorUser,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:kernel-gossip", "system:authenticated"},
	}
	return config
}

// admin is a client that may do everything; without a cluster the test is skipped.
func admin(t *testing.T) client.Client {
	t.Helper()
	if shared == nil {
		t.Skip("needs KG_TEST_STAGE=api; run make test-api")
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(shared, client.Options{Scheme: types})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits until holds is true.
func eventually(t *testing.T, what string, holds func(ctx context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, holds); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
