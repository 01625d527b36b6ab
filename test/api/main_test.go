// SPDX-License-Identifier: Apache-2.0

package api_test

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
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

const (
	observerUser = "system:serviceaccount:kernel-gossip:kernel-observer"
	operatorUser = "system:serviceaccount:kernel-gossip:operator"
	manifests    = "../../k8s"
)

// fixture is the control plane that all tests of this package share: k8s/ is
// applied, and the operator runs under its own service account's rights.
type fixture struct {
	config     *rest.Config
	kubeconfig string
	bin        string
	firstApply string
}

var shared *fixture

func TestMain(m *testing.M) {
	if os.Getenv("KG_TEST_STAGE") != "api" {
		os.Exit(m.Run())
	}
	code, err := runWithCluster(m)
	if err != nil {
		fmt.Fprintf(os.Stderr, "test/api: %s\n", err)
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
	environment := &envtest.Environment{
		BinaryAssetsDirectory: bin,
		// Never a cluster that the environment happens to name.
		UseExistingCluster: ptr(false),
		// On a machine that is busy the usual 20 s do not do.
		ControlPlaneStartTimeout: 2 * time.Minute,
	}
	config, err := environment.Start()
	if err != nil {
		return 1, fmt.Errorf("start etcd and the API server: %w", err)
	}
	defer func() { err = errors.Join(err, environment.Stop()) }()

	dir, err := os.MkdirTemp("", "kernel-gossip-api-")
	if err != nil {
		return 1, fmt.Errorf("directory for the kubeconfig: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	shared, err = newFixture(config, environment.KubeConfig, bin, dir)
	if err != nil {
		return 1, err
	}
	stop, err := shared.startOperator()
	if err != nil {
		return 1, err
	}
	code = m.Run()
	return code, stop()
}

func logOutput() io.Writer {
	if os.Getenv("KG_TEST_LOG") != "" {
		return os.Stderr
	}
	return io.Discard
}

func newFixture(config *rest.Config, kubeconfig []byte, bin, dir string) (*fixture, error) {
	f := &fixture{config: config, kubeconfig: filepath.Join(dir, "kubeconfig"), bin: bin}
	if err := os.WriteFile(f.kubeconfig, kubeconfig, 0o600); err != nil {
		return nil, fmt.Errorf("write kubeconfig: %w", err)
	}
	out, err := f.kubectl("apply", "-f", manifests)
	if err != nil {
		return nil, err
	}
	f.firstApply = out
	return f, nil
}

// kubectl runs the real one and returns its output.
func (f *fixture) kubectl(args ...string) (string, error) {
	command := exec.Command(filepath.Join(f.bin, "kubectl"), append([]string{"--kubeconfig", f.kubeconfig}, args...)...)
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("kubectl %v: %w: %s", args, err, out)
	}
	return string(out), nil
}

// startOperator runs the operator as its service account, so that a right that
// is missing in k8s/ fails these tests.
func (f *fixture) startOperator() (stop func() error, err error) {
	options := operator.DefaultOptions()
	options.MetricsAddress, options.HealthAddress = "0", "0"
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- operator.Run(ctx, f.as(operatorUser, ""), options, slog.New(slog.NewTextHandler(logOutput(), nil)))
	}()
	return func() error {
		cancel()
		return <-done
	}, nil
}

// as is the configuration of a service account's pod, on a node if one is named.
func (f *fixture) as(user, node string) *rest.Config {
	config := rest.CopyConfig(f.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: user,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:kernel-gossip", "system:authenticated"},
	}
	if node != "" {
		config.Impersonate.Extra = map[string][]string{"authentication.kubernetes.io/node-name": {node}}
	}
	return config
}

// cluster gives a test its fixture, or skips it.
func cluster(t *testing.T) *fixture {
	t.Helper()
	if shared == nil {
		t.Skip("needs KG_TEST_STAGE=api; run make test-api")
	}
	return shared
}

// admin is a client that may do everything.
func (f *fixture) admin(t *testing.T) client.Client { return newClient(t, f.config) }

// observer is a client with the rights of an observer on a node; without a node
// its token names none.
func (f *fixture) observer(t *testing.T, node string) client.Client {
	return newClient(t, f.as(observerUser, node))
}

func newClient(t *testing.T, config *rest.Config) client.Client {
	t.Helper()
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(config, client.Options{Scheme: types})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// namespace makes one that belongs to the test alone.
func (f *fixture) namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{}
	ns.GenerateName = "test-"
	if err := f.admin(t).Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}
