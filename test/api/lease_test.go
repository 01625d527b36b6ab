// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

// A leader that nobody can become would judge nothing, and not say so.
func TestTheNamespaceOfTheLeaseHasToExist(t *testing.T) {
	f := cluster(t)
	for name, tt := range map[string]struct {
		config    *rest.Config
		namespace string
		says      string
	}{
		"none, of one who may do all": {f.config, "nowhere", `after 1s: namespace "nowhere" does not exist: --namespace names that of the Lease for leader election`},
		"none":                        {f.as(operatorUser, ""), "nowhere", `may not hold the Lease for leader election in namespace "nowhere", if it exists at all`},
		"without the right":           {f.as(operatorUser, ""), "default", `may not hold the Lease for leader election in namespace "default"`},
	} {
		t.Run(name, func(t *testing.T) {
			options := operator.DefaultOptions()
			options.MetricsAddress, options.HealthAddress = "0", "0"
			options.Namespace, options.StartupTimeout = tt.namespace, time.Second
			err := operator.Run(t.Context(), tt.config, options, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %s", err, tt.says)
			}
		})
	}
}
