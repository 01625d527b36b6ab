// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// asOperator makes a process of this test program the operator itself.
const asOperator = "KG_TEST_AS_OPERATOR"

func TestMain(m *testing.M) {
	if os.Getenv(asOperator) != "" {
		main()
	}
	os.Exit(m.Run())
}

// promptly is below every time-out that the operator has for one question (5 s) and far
// below the 30 s after which the kubelet kills.
const promptly = 3 * time.Second

// Whatever the API server owes an answer to, SIGTERM ends the operator: the kubelet
// waits 30 s otherwise, and a rollout with it.
func TestSIGTERMEndsIt(t *testing.T) {
	tests := []struct {
		name    string
		answers int // after that many answers nothing is answered any more
	}{
		{"the kinds are asked for", 0},
		{"the Lease is asked for", 1},
		{"the kinds are looked up", 2},
		{"the first list is asked for", 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newSilent(t, tt.answers)
			command, log := startOperator(t, server.url)
			defer func() { _ = command.Process.Kill() }()
			select {
			case <-server.silent:
			case <-time.After(20 * time.Second):
				t.Fatalf("it did not come that far:\n%s", log)
			}
			code, took := terminate(t, command)
			if code != 0 || took > promptly {
				t.Errorf("exit code %d after %s", code, took)
			}
			said := 0
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, `msg="ended before the first list of objects was complete"`) {
					said++
				}
				if strings.Contains(line, "level=ERROR") {
					t.Errorf("%s", line)
				}
			}
			if said != 1 {
				t.Errorf("said %d times:\n%s", said, log)
			}
		})
	}
}

func startOperator(t *testing.T, url string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(kubeconfigOf(url)), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	command := exec.Command(os.Args[0], "--kubeconfig="+kubeconfig, "--metrics-address=0", "--health-address=0")
	command.Env, command.Stderr = append(os.Environ(), asOperator+"=1"), log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, log
}

// terminate sends SIGTERM and waits for the end, which it brings about itself if need be.
func terminate(t *testing.T, command *exec.Cmd) (code int, took time.Duration) {
	t.Helper()
	began := time.Now()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(3*promptly, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode(), time.Since(began)
}

// silent is an API server that knows the kinds and the Lease, and falls silent.
type silent struct {
	url    string
	silent chan struct{} // closed at the first question that gets no answer
}

func newSilent(t *testing.T, answers int) *silent {
	t.Helper()
	s := &silent{silent: make(chan struct{})}
	var given, left atomic.Int64
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, ok := known[r.URL.Path]; ok && given.Add(1) <= int64(answers) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, answer)
			return
		}
		if left.Add(1) == 1 {
			close(s.silent)
		}
		select {
		case <-r.Context().Done():
		case <-end:
		}
	}))
	t.Cleanup(func() { close(end); server.Close() })
	s.url = server.URL
	return s
}

const group = `{"kind":"APIGroup","apiVersion":"v1","name":"kernel-gossip.io","versions":[{"groupVersion":"kernel-gossip.io/v1alpha1","version":"v1alpha1"}],
	"preferredVersion":{"groupVersion":"kernel-gossip.io/v1alpha1","version":"v1alpha1"}}`

var known = map[string]string{
	"/api":                   `{"kind":"APIVersions","versions":["v1"]}`,
	"/apis":                  `{"kind":"APIGroupList","apiVersion":"v1","groups":[` + group + `]}`,
	"/apis/kernel-gossip.io": group,
	"/apis/kernel-gossip.io/v1alpha1": `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"kernel-gossip.io/v1alpha1","resources":[
		{"name":"kernelwhispers","kind":"KernelWhisper","namespaced":true},{"name":"podbirthcertificates","kind":"PodBirthCertificate","namespaced":true}]}`,
	"/apis/coordination.k8s.io/v1/namespaces/kernel-gossip/leases/kernel-gossip-operator": `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1",
		"metadata":{"name":"kernel-gossip-operator","namespace":"kernel-gossip"}}`,
}
