// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kernel-gossip/kernel-gossip/internal/operator"
)

// usageError is a command line that cannot be carried out.
type usageError struct{ cause error }

func (e *usageError) Error() string { return e.cause.Error() + "; see operator --help" }

func (e *usageError) Unwrap() error { return e.cause }

// settings are all that the command line says.
type settings struct {
	operator   operator.Options
	kubeconfig string
	logFormat  string
	logLevel   string
}

func newCommand(stderr io.Writer) *cobra.Command {
	s := &settings{operator: operator.DefaultOptions()}
	command := &cobra.Command{
		Use:   "operator",
		Short: "Judges PodBirthCertificates and KernelWhispers and writes their status",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unexpected argument %q", args[0])}
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return s.run(command.Context(), stderr)
		},
	}
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	s.addFlags(command.Flags())
	return command
}

func (s *settings) addFlags(flags *pflag.FlagSet) {
	o, r := &s.operator, &s.operator.Retention
	flags.SortFlags = false
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "kubeconfig file; without it KUBECONFIG, then the pod's own service account")
	flags.StringVar(&o.Namespace, "namespace", o.Namespace, "namespace of the Lease for leader election")
	flags.BoolVar(&o.LeaderElection, "leader-election", o.LeaderElection, "let one replica at a time work")
	flags.IntVar(&o.Workers, "workers", o.Workers, "objects of each kind that are judged at the same time")
	flags.StringVar(&o.MetricsAddress, "metrics-address", o.MetricsAddress, "address of /metrics; 0 turns it off")
	flags.StringVar(&o.HealthAddress, "health-address", o.HealthAddress, "address of /healthz and /readyz; 0 turns it off")
	flags.DurationVar(&o.StartupTimeout, "startup-timeout", o.StartupTimeout, "how long to wait for the API server and the CRDs before exiting")
	flags.DurationVar(&r.CertificateAge, "certificate-age", r.CertificateAge, "age from which a certificate is deleted once its pod is gone")
	flags.DurationVar(&r.WhisperAge, "whisper-age", r.WhisperAge, "time after its end from which a whisper is deleted")
	flags.IntVar(&r.MaxPerNamespace, "max-per-namespace", r.MaxPerNamespace, "objects of each kind kept in a namespace, oldest deleted first")
	flags.DurationVar(&r.Interval, "retention-interval", r.Interval, "time between two sweeps for what is to be deleted")
	s.addCPUFlags(flags)
	flags.StringVar(&s.logFormat, "log-format", "text", "text (key=value) or json")
	flags.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
}

func (s *settings) addCPUFlags(flags *pflag.FlagSet) {
	o, b := &s.operator, &s.operator.ResizeBounds
	flags.Float64Var(&o.Target.ThrottledPercent, "target-throttled-percent", o.Target.ThrottledPercent, "share of active periods, in percent, that a proposed limit keeps throttling below")
	flags.DurationVar(&o.Target.StallP99, "target-stall", o.Target.StallP99, "99th percentile of the stall of an activation that a proposed limit stays below")
	flags.BoolVar(&o.AutoResize, "auto-resize", o.AutoResize, "raise CPU limits as proposed, of pods whose owners opted in; needs k8s/optional/auto-resize.yaml")
	flags.Float64Var(&b.Factor, "auto-resize-max-factor", b.Factor, "most by which one step multiplies a limit")
	flags.Int64Var(&b.CeilingMillicores, "auto-resize-ceiling", b.CeilingMillicores, "millicores that no limit is raised above")
	flags.Int64Var(&b.HeadroomPercent, "auto-resize-node-headroom", b.HeadroomPercent, "percent of a node's allocatable CPU that a step leaves free")
	flags.DurationVar(&b.CoolDown, "auto-resize-cool-down", b.CoolDown, "time between two steps of one container")
}

// oneLine keeps an error that carries line breaks of others on one line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
