// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"fmt"
	"net"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/resize"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// Options of the operator. The zero value is not usable; DefaultOptions is.
type Options struct {
	// MetricsAddress serves Prometheus metrics at /metrics; "0" turns it off.
	MetricsAddress string
	// HealthAddress serves /healthz and /readyz; "0" turns it off.
	HealthAddress string
	// LeaderElection lets one replica at a time work.
	LeaderElection bool
	// Namespace holds the Lease of the leader election.
	Namespace string
	// Workers judge that many objects of each kind at the same time.
	Workers int
	// StartupTimeout is how long Run waits for the API server and the CRDs.
	StartupTimeout time.Duration
	// Retention of certificates and whispers.
	Retention Retention
	// Target that proposals meet and changes are held against.
	Target verdict.Target
	// AutoResize turns the automation on, for pods whose owners opted in.
	AutoResize bool
	// ResizeBounds of the automation.
	ResizeBounds resize.Bounds
}

// Retention says what is deleted and when.
type Retention struct {
	// CertificateAge is the age from which a certificate is deleted if its pod
	// no longer exists.
	CertificateAge time.Duration
	// WhisperAge is the time after the end of an episode from which its whisper
	// is deleted. An episode that was never ended counts as ended at its
	// lastSeenTime once its pod no longer exists.
	WhisperAge time.Duration
	// MaxPerNamespace bounds each kind in each namespace; above it the oldest
	// that may be deleted go first, whatever their age.
	MaxPerNamespace int
	// Interval between two sweeps.
	Interval time.Duration
}

// DefaultOptions fit a cluster of any size.
func DefaultOptions() Options {
	return Options{
		MetricsAddress: ":8080",
		HealthAddress:  ":8081",
		LeaderElection: true,
		Namespace:      "kernel-gossip",
		Workers:        4,
		StartupTimeout: 30 * time.Second,
		Retention: Retention{
			CertificateAge:  24 * time.Hour,
			WhisperAge:      72 * time.Hour,
			MaxPerNamespace: 2000,
			Interval:        10 * time.Minute,
		},
		Target:       verdict.DefaultTarget(),
		ResizeBounds: resize.DefaultBounds(),
	}
}

// Validate names the first option that cannot work.
func (o Options) Validate() error {
	switch {
	case o.LeaderElection && o.Namespace == "":
		return fmt.Errorf("namespace is empty: leader election needs one for its Lease")
	case o.Workers < 1:
		return fmt.Errorf("workers is %d: at least 1 is needed", o.Workers)
	case o.StartupTimeout <= 0:
		return fmt.Errorf("startup timeout is %s: it has to be positive", o.StartupTimeout)
	}
	for name, address := range map[string]string{"metrics": o.MetricsAddress, "health": o.HealthAddress} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "0" {
			return fmt.Errorf("%s address is %q: use HOST:PORT, :PORT or 0", name, address)
		}
	}
	if err := o.Target.Validate(); err != nil {
		return err
	}
	if err := o.ResizeBounds.Validate(); err != nil {
		return err
	}
	return o.Retention.validate()
}

func (r Retention) validate() error {
	switch {
	case r.CertificateAge <= 0:
		return fmt.Errorf("certificate age is %s: it has to be positive", r.CertificateAge)
	case r.WhisperAge <= 0:
		return fmt.Errorf("whisper age is %s: it has to be positive", r.WhisperAge)
	case r.MaxPerNamespace < 1:
		return fmt.Errorf("maximum per namespace is %d: at least 1 is needed", r.MaxPerNamespace)
	case r.Interval <= 0:
		return fmt.Errorf("retention interval is %s: it has to be positive", r.Interval)
	}
	return nil
}
