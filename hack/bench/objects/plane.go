// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// quota is etcd's largest recommended one. The default of 2 GiB has to hold every
// version since the last compaction too, and this writes as fast as it can.
const quota = 8 << 30

// plane is an etcd and an API server with the manifests applied.
type plane struct {
	environment *envtest.Environment
	config      *rest.Config
	dir         string
	kubeconfig  string
	manifests   string
}

func newPlane(manifests string) (*plane, error) {
	bin := os.Getenv("KG_NODE_BIN")
	if bin == "" {
		return nil, errors.New("KG_NODE_BIN is not set: it names the directory of etcd, kube-apiserver and kubectl")
	}
	no := false
	p := &plane{environment: &envtest.Environment{BinaryAssetsDirectory: bin, UseExistingCluster: &no}, manifests: manifests}
	p.environment.ControlPlane.Etcd = &envtest.Etcd{}
	p.environment.ControlPlane.Etcd.Configure().Set("quota-backend-bytes", strconv.Itoa(quota))
	config, err := p.environment.Start()
	if err != nil {
		return nil, fmt.Errorf("start etcd and the API server: %w", err)
	}
	p.config = config
	if p.dir, err = os.MkdirTemp("", "kernel-gossip-objects-"); err != nil {
		return nil, errors.Join(err, p.environment.Stop())
	}
	p.kubeconfig = filepath.Join(p.dir, "kubeconfig")
	err = os.WriteFile(p.kubeconfig, p.environment.KubeConfig, 0o600)
	if err == nil {
		apply := exec.Command(filepath.Join(bin, "kubectl"), "--kubeconfig", p.kubeconfig, "apply", "-f", manifests)
		apply.Stderr = os.Stderr
		err = apply.Run()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("apply %s: %w", manifests, err), p.stop())
	}
	return p, nil
}

func (p *plane) stop() error {
	return errors.Join(p.environment.Stop(), os.RemoveAll(p.dir))
}

// stored is the size of etcd's file in bytes, once all but the latest versions are out of it.
func (p *plane) stored(ctx context.Context) (int64, error) {
	var status struct {
		Header struct{ Revision string }
		DBSize string `json:"dbSize"`
	}
	if err := p.etcd(ctx, "maintenance/status", map[string]any{}, &status); err != nil {
		return 0, err
	}
	if err := p.etcd(ctx, "kv/compaction", map[string]any{"revision": status.Header.Revision, "physical": true}, nil); err != nil {
		return 0, err
	}
	if err := p.etcd(ctx, "maintenance/defragment", map[string]any{}, nil); err != nil {
		return 0, err
	}
	if err := p.etcd(ctx, "maintenance/status", map[string]any{}, &status); err != nil {
		return 0, err
	}
	return strconv.ParseInt(status.DBSize, 10, 64)
}

// etcd calls a method of etcd's JSON gateway.
func (p *plane) etcd(ctx context.Context, method string, question, answer any) error {
	raw, err := json.Marshal(question)
	if err != nil {
		return err
	}
	url := strings.TrimSuffix(p.environment.ControlPlane.Etcd.URL.String(), "/") + "/v3/" + method
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd: %s: %s: %s: %w", method, response.Status, said, err)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(said, answer)
}

// gossip runs the client with its output thrown away.
func (p *plane) gossip(ctx context.Context, o options, args []string) (time.Duration, *os.ProcessState, error) {
	command := exec.CommandContext(ctx, filepath.Join(o.programs, "kubectl-gossip"), append(args, "--kubeconfig="+p.kubeconfig)...)
	var said bytes.Buffer
	command.Stderr = &said
	began := time.Now()
	if err := command.Run(); err != nil {
		return 0, nil, fmt.Errorf("kubectl gossip %s: %w: %s", join(args), err, said.Bytes())
	}
	return time.Since(began), command.ProcessState, nil
}

func join(args []string) string { return strings.Join(args, " ") }

// set a field of an object by its path. The sample has all of them.
func set(object map[string]any, path, value string) {
	_ = unstructured.SetNestedField(object, value, strings.Split(path, ".")...)
}
