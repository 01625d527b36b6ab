// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// A sweep that began before the controllers had asked for whispers stopped short, and
// the next one was ten minutes away.
func TestBothKindsAreReadBeforeTheFirstSweep(t *testing.T) {
	group := `{"kind":"APIGroup","apiVersion":"v1","name":"kernel-gossip.io","versions":[{"groupVersion":"kernel-gossip.io/v1alpha1","version":"v1alpha1"}],
		"preferredVersion":{"groupVersion":"kernel-gossip.io/v1alpha1","version":"v1alpha1"}}`
	answers := map[string]string{
		"/api":                            `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis":                           `{"kind":"APIGroupList","apiVersion":"v1","groups":[` + group + `]}`,
		"/apis/kernel-gossip.io":          group,
		"/apis/kernel-gossip.io/v1alpha1": bothKinds,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if answer, ok := answers[r.URL.Path]; ok {
			_, _ = w.Write([]byte(answer))
			return
		}
		http.NotFound(w, r)
	}))
	defer server.Close()
	options := DefaultOptions()
	options.MetricsAddress, options.HealthAddress, options.LeaderElection = "0", "0", false
	mgr, err := newManager(&rest.Config{Host: server.URL}, options, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := register(t.Context(), mgr, options); err != nil {
		t.Fatal(err)
	}
	for _, list := range []client.ObjectList{&v1alpha1.PodBirthCertificateList{}, &v1alpha1.KernelWhisperList{}} {
		var unknown *cache.ErrResourceNotCached
		if err := mgr.GetCache().List(t.Context(), list); errors.As(err, &unknown) {
			t.Errorf("%v", err)
		}
	}
}
