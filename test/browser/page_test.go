// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// patience is how long a page may take to tell what it sees; most need two seconds.
const patience = 90 * time.Second

// certificates are those of internal/view that have something to draw.
var certificates = []string{"full", "web", "many", "failed"}

func certificate(t *testing.T, name string) *v1alpha1.PodBirthCertificate {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "internal", "view", "testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	c := &v1alpha1.PodBirthCertificate{}
	if err := yaml.UnmarshalStrict(raw, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// see opens the page in Chromium and decodes what it posts to /told.
func see(t *testing.T, pages *http.ServeMux, into any) {
	t.Helper()
	if os.Getenv("KG_TEST_STAGE") != "browser" {
		t.Skip("needs Chromium: make test-browser")
	}
	told := make(chan error, 1)
	pages.HandleFunc("POST /told", func(_ http.ResponseWriter, r *http.Request) {
		told <- json.NewDecoder(r.Body).Decode(into)
	})
	server := httptest.NewServer(pages)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	gone := start(ctx, t, server.URL)
	select {
	case err := <-told:
		cancel()
		t.Logf("the browser: %v, as it should", <-gone)
		if err != nil {
			t.Fatalf("what the page told: %v", err)
		}
	case err := <-gone:
		t.Fatalf("the browser ended before the page told anything: %v", err)
	}
}

// start runs Chromium until ctx is done, and all that it starts with it.
func start(ctx context.Context, t *testing.T, address string) <-chan error {
	t.Helper()
	command := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1600,1000",
		"--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), address)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- command.Wait() }()
	return gone
}
