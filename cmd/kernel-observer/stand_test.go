// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
)

// An observer that stands by passes its probes, and tells who asks for its report why
// it has none.
func TestStandingBy(t *testing.T) {
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"/healthz": {http.StatusOK, ""}, "/readyz": {http.StatusOK, ""}, "/metrics": {http.StatusOK, "kernel_gossip_observer_standing_by 1"},
		"/doctor": {http.StatusServiceUnavailable, doctor.StandsBy},
	} {
		w := httptest.NewRecorder()
		standingByAnswers().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want.code || !strings.Contains(w.Body.String(), want.says) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
