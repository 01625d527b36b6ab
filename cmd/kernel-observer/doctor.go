// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/screen"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// examination is what the doctor's flags say.
type examination struct {
	without    []string
	btf        string
	cgroupRoot string
	output     string
	color      string
}

func newDoctorCommand(o *options) *cobra.Command {
	var x examination
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lets the observer hear, what is lost, and what would mend it",
		Long: "doctor probes the kernel of this machine without listening to it, and needs no cluster.\n" +
			"It looks with the rights that it has: run it as the observer will run.\n\n" +
			"Exit codes: 0 everything is heard, 1 could not run, 2 wrong use, 3 degraded,\n" +
			"4 no eBPF (the floor), 5 nothing can be heard.",
		Example: "  kernel-observer doctor\n" +
			"  kernel-observer doctor --without cgroup_mkdir,cgroup_rmdir,cgroup_attach_task -o json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			without, err := x.check()
			if err != nil {
				return err
			}
			o.parsed = true
			r, err := x.examine(o.nodeName, without)
			if err != nil {
				return err
			}
			o.code = r.Verdict.ExitCode()
			return x.write(cmd.OutOrStdout(), r)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.nodeName, "node-name", os.Getenv("NODE_NAME"), "name of this node (default: $NODE_NAME, or the host name)")
	f.StringSliceVar(&x.without, "without", nil, "hooks, ways or rungs to leave out, as if this kernel did not have them")
	f.StringVar(&x.btf, "btf", "", "file with the types of this kernel, where it has none of its own")
	f.StringVar(&x.cgroupRoot, "cgroup-root", "", "where the whole cgroup file system is mounted (default: found by itself)")
	f.StringVarP(&x.output, "output", "o", "text", "text, json or yaml")
	f.StringVar(&x.color, "color", screen.ColorAuto, "auto (on a terminal, unless NO_COLOR is set), always or never")
	return cmd
}

func (x *examination) check() (hooks.Without, error) {
	if err := oneOf("output", x.output, "text", "json", "yaml"); err != nil {
		return hooks.Without{}, err
	}
	if err := oneOf("color", x.color, screen.ColorAuto, screen.ColorAlways, screen.ColorNever); err != nil {
		return hooks.Without{}, err
	}
	without, err := hooks.ParseWithout(x.without)
	if err != nil {
		return hooks.Without{}, fmt.Errorf("--without: %w", err)
	}
	return without, nil
}

// examine probes this machine.
func (x *examination) examine(node string, without hooks.Without) (*doctor.Report, error) {
	if x.btf != "" {
		if _, err := os.Stat(x.btf); err != nil {
			return nil, fmt.Errorf("--btf: %w", err)
		}
	}
	if node == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("find the host name (or set --node-name): %w", err)
		}
		node = name
	}
	source := machine(x.btf, x.cgroupRoot)
	facts := source.Gather()
	source.Inhabitants(facts.Cgroup).Tell(&facts)
	r := &doctor.Report{
		Node: node, Time: time.Now().UTC().Truncate(time.Second), Facts: facts,
		Without: withoutNames(without), Hooks: hooks.Choose(facts.Offer(probe.Offers(x.btf)), without),
	}
	r.Diagnose()
	return r, nil
}

// machine is this one.
func machine(btf, cgroupRoot string) *doctor.Source {
	return &doctor.Source{Machine: os.DirFS("/"), Architecture: runtime.GOARCH, BTF: btf, CgroupRoot: cgroupRoot}
}

func withoutNames(w hooks.Without) []string {
	if s := w.String(); s != "" {
		return strings.Split(s, ",")
	}
	return nil
}

func oneOf(flag, value string, allowed ...string) error {
	if !slices.Contains(allowed, value) {
		return fmt.Errorf("--%s=%s: use one of %q", flag, value, allowed)
	}
	return nil
}

func (x *examination) write(out io.Writer, r *doctor.Report) error {
	if x.output == "text" {
		columns, terminal := screen.Size(out)
		return view.Node(out, r, screen.Terminal(columns, terminal, x.color, os.Getenv))
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if x.output == "yaml" {
		if raw, err = yaml.JSONToYAML(raw); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		_, err = out.Write(raw)
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", raw)
	return err
}
