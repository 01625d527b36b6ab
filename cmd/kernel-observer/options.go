// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

type options struct {
	nodeName     string
	cluster      string
	kubeconfig   string
	output       string
	listen       string
	logLevel     string
	record       string
	replay       string
	runtimes     []string
	birthTimeout time.Duration
	leanIn       time.Duration
	without      []string
	btf          string
	cgroupRoot   string
	// taken is without, understood.
	taken  hooks.Without
	budget budget

	// code is the exit code of a command that did not fail.
	code int
	// parsed is true once the command line was understood: later errors are
	// not about its use.
	parsed bool
}

// Bounds of --lean-in. Shorter says nothing of stalls, and longer costs the
// suspect more than a longer recording is worth.
const (
	shortestLeanIn = time.Second
	longestLeanIn  = time.Minute
)

func newCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kernel-observer",
		Short: "Listen to the kernel of this node and write what it says of its pods",
		Long: "kernel-observer hears the births of pods and the throttling of their containers with eBPF.\n" +
			"It writes them to the Kubernetes API where there is a cluster, and to standard output.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("runtime") && len(o.runtimes) == 0 {
				return errors.New("--runtime=: must name a program")
			}
			if err := o.check(); err != nil {
				return err
			}
			o.parsed = true
			return run(cmd.Context(), o)
		},
	}
	cmd.AddCommand(newDoctorCommand(o))
	f := cmd.Flags()
	addKernelFlags(f, o)
	f.StringVar(&o.cluster, "cluster", "auto", "use the Kubernetes API: auto (where a cluster is configured), on, watch (learn of pods, write nothing), off")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file (default: $KUBECONFIG, or the pod's service account)")
	f.StringVarP(&o.output, "output", "o", "text", "format on standard output: text, json, yaml, none")
	f.StringVar(&o.listen, "listen", "", "address for metrics and probes, such as :9464 (default: none)")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringSliceVar(&o.runtimes, "runtime", nil, "further container runtimes that act like runc, by the name of their program")
	f.DurationVar(&o.birthTimeout, "birth-timeout", 10*time.Minute, "end a birth that does not get Ready after this time")
	f.DurationVar(&o.leanIn, "lean-in", cpu.DefaultConfig().LeanIn, "how long to listen to the bursts of a container that is held or waits for a CPU, up to three times as long where it serves rarely, 0 for never")
	addBudgetFlag(f, o)
	f.StringVar(&o.record, "record", "", "also record all that is heard to this file")
	f.StringVar(&o.replay, "replay", "", "replay such a recording instead of listening (needs no privileges)")
	return cmd
}

// addKernelFlags adds the flags that the doctor has as well.
func addKernelFlags(f *pflag.FlagSet, o *options) {
	f.StringVar(&o.nodeName, "node-name", os.Getenv("NODE_NAME"), "name of this node in the cluster (default: $NODE_NAME, or the host name)")
	f.StringSliceVar(&o.without, "without", nil, "hooks, ways or rungs to do without, as if this kernel did not have them (cgroup_mkdir, tp_btf, raw_tp/sys_exit, btf, bpf)")
	f.StringVar(&o.btf, "btf", "", "file with the kernel's BTF (default: the kernel's own)")
	f.StringVar(&o.cgroupRoot, "cgroup-root", "", "where the cgroup file system is mounted (default: /host/sys/fs/cgroup if it is there, else /sys/fs/cgroup)")
}

func (o *options) check() error {
	if err := oneOf("cluster", o.cluster, "auto", "on", "watch", "off"); err != nil {
		return err
	}
	if err := oneOf("output", o.output, "text", "json", "yaml", "none"); err != nil {
		return err
	}
	if _, err := o.level(); err != nil {
		return fmt.Errorf("--log-level=%s: use debug, info, warn or error", o.logLevel)
	}
	if err := o.checkTimes(); err != nil {
		return err
	}
	if err := errors.Join(o.budget.fault, o.checkKernel()); err != nil {
		return err
	}
	if o.listen != "" {
		if _, _, err := net.SplitHostPort(o.listen); err != nil {
			return fmt.Errorf("--listen=%s: use HOST:PORT or :PORT", o.listen)
		}
	}
	if o.record != "" && o.replay != "" {
		return fmt.Errorf("--record and --replay exclude each other")
	}
	for _, r := range o.runtimes {
		if r == "" || len(r) > 31 {
			return fmt.Errorf("--runtime=%q: must have 1 to 31 bytes", r)
		}
	}
	return o.checkNode()
}

func (o *options) checkNode() error {
	if o.nodeName != "" {
		return nil
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("find the host name (or set --node-name): %w", err)
	}
	o.nodeName = name
	return nil
}

// checkKernel checks the flags that say how the kernel is to be heard.
func (o *options) checkKernel() (err error) {
	if o.taken, err = hooks.ParseWithout(o.without); err != nil {
		return fmt.Errorf("--without: %w", err)
	}
	if o.btf != "" {
		if info, err := os.Stat(o.btf); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("--btf=%s: is no file that can be read", o.btf)
		}
	}
	if o.cgroupRoot != "" {
		if info, err := os.Stat(o.cgroupRoot); err != nil || !info.IsDir() {
			return fmt.Errorf("--cgroup-root=%s: is no folder", o.cgroupRoot)
		}
	}
	return nil
}

func (o *options) checkTimes() error {
	if o.birthTimeout <= 0 {
		return fmt.Errorf("--birth-timeout=%s: must be positive", o.birthTimeout)
	}
	if o.leanIn != 0 && (o.leanIn < shortestLeanIn || o.leanIn > longestLeanIn) {
		return fmt.Errorf("--lean-in=%s: must be 0, or from %s to %s", o.leanIn, shortestLeanIn, longestLeanIn)
	}
	return nil
}

func (o *options) level() (slog.Level, error) {
	var l slog.Level
	err := l.UnmarshalText([]byte(o.logLevel))
	return l, err
}
