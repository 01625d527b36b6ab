// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

const (
	bothKinds = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"kernel-gossip.io/v1alpha1","resources":[
		{"name":"kernelwhispers","kind":"KernelWhisper"},{"name":"podbirthcertificates","kind":"PodBirthCertificate"}]}`
	oneKind = `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"kernel-gossip.io/v1alpha1","resources":[
		{"name":"kernelwhispers","kind":"KernelWhisper"}]}`
	forbidden = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no"}`
)

func TestWaitForAPI(t *testing.T) {
	tests := []struct {
		name string
		code int
		body string
		want string
	}{
		{"installed", http.StatusOK, bothKinds, ""},
		{"one kind is missing", http.StatusOK, oneKind, "custom resources kernel-gossip.io/v1alpha1 are not installed: run kubectl apply -f k8s/"},
		{"not installed", http.StatusNotFound, "404 page not found", "custom resources kernel-gossip.io/v1alpha1 are not installed: run kubectl apply -f k8s/"},
		{"refused", http.StatusForbidden, forbidden, "refuses the credentials"},
		{"in trouble", http.StatusInternalServerError, "oops", "does not answer, check KUBECONFIG and the network"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.code)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			err := waitForAPI(t.Context(), &rest.Config{Host: server.URL}, 10*time.Millisecond, slog.New(slog.DiscardHandler))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
