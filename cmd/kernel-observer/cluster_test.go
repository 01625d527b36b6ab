// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// kubeconfigOf names a server.
func kubeconfigOf(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: %q}}],
		contexts: [{name: x, context: {cluster: c}}], current-context: x}`, server)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Hundreds of objects that wait when the observer is told to end are written within
// the time that its pod has: no rate of the client holds them up.
func TestTheClientHasNoRateAtTheEnd(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() == nil {
			end() // before anything is taken
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, r.Body) // what was applied
	}))
	defer server.Close()
	log := slog.New(slog.DiscardHandler)
	c, err := connect(&options{cluster: "on", kubeconfig: kubeconfigOf(t, server.URL)}, log)
	if err != nil {
		t.Fatal(err)
	}
	const waiting = 400 // the client's burst is 100, and it has 8 s at 20 a second
	for i := range waiting {
		c.sink.Whisper(&v1alpha1.KernelWhisper{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "KernelWhisper"},
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprint("web-", i)},
		})
	}
	c.sink.Run(ctx)
	if s := c.sink.Stats(); s.Written != waiting || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// What the API server has in protobuf is asked for in it; JSON is taken as well.
func TestPodsComeInProtobuf(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	accepted := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case accepted <- r.Header.Get("Accept"):
		default:
		}
		http.Error(w, "away", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	defer end()
	c, err := connect(&options{cluster: "on", kubeconfig: kubeconfigOf(t, server.URL)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{}); err == nil {
		t.Fatal("the server is away")
	}
	if got := <-accepted; got != "application/vnd.kubernetes.protobuf,application/json" {
		t.Errorf("asked for %s", got)
	}
}
