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
	"github.com/kernel-gossip/kernel-gossip/internal/screen"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// report is how the doctor's findings are written.
type report struct {
	output string
	color  string
}

func newDoctorCommand(o *options) *cobra.Command {
	var w report
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine lets the observer hear, what is lost, and what would mend it",
		Long: "doctor begins to listen as the observer would and ends it at once, which alone tells what\n" +
			"holds. Nothing stays in the kernel, and no cluster is needed.\n" +
			"It looks with the rights that it has: run it as the observer will run.\n\n" +
			"Exit codes: 0 everything is heard, 1 could not run, 2 wrong use, 3 degraded,\n" +
			"4 no eBPF (the floor), 5 nothing can be heard.",
		Example: "  kernel-observer doctor\n" +
			"  kernel-observer doctor --without cgroup_mkdir,cgroup_rmdir,cgroup_attach_task -o json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := w.check(o); err != nil {
				return err
			}
			o.parsed = true
			r, err := examine(o)
			if err != nil {
				return err
			}
			o.code = r.Verdict.ExitCode()
			return w.write(cmd.OutOrStdout(), r)
		},
	}
	f := cmd.Flags()
	addKernelFlags(f, o)
	f.StringVarP(&w.output, "output", "o", "text", "text, json or yaml")
	f.StringVar(&w.color, "color", screen.ColorAuto, "auto (on a terminal, unless NO_COLOR is set), always or never")
	return cmd
}

func (w *report) check(o *options) error {
	if err := oneOf("output", w.output, "text", "json", "yaml"); err != nil {
		return err
	}
	if err := oneOf("color", w.color, screen.ColorAuto, screen.ColorAlways, screen.ColorNever); err != nil {
		return err
	}
	if err := o.checkNode(); err != nil {
		return err
	}
	return o.checkKernel()
}

// examine probes this machine.
func examine(o *options) (*doctor.Report, error) {
	source := machine(o)
	facts := source.Gather()
	source.Inhabitants(facts.Cgroup).Tell(&facts)
	plan, err := tryOut(o)
	if err != nil {
		return nil, err
	}
	r := &doctor.Report{
		Node: o.nodeName, Time: time.Now().UTC().Truncate(time.Second), Facts: facts,
		Without: withoutNames(o.taken), Hooks: plan,
	}
	r.Diagnose()
	return r, nil
}

// machine is this one.
func machine(o *options) *doctor.Source {
	return &doctor.Source{Machine: os.DirFS("/"), Architecture: runtime.GOARCH, BTF: o.btf, CgroupRoot: o.cgroupRoot}
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

func (w *report) write(out io.Writer, r *doctor.Report) error {
	if w.output == "text" {
		columns, terminal := screen.Size(out)
		return view.Node(out, r, screen.Terminal(columns, terminal, w.color, os.Getenv))
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	raw = append(raw, '\n')
	if w.output == "yaml" {
		if raw, err = yaml.JSONToYAML(raw); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	_, err = out.Write(raw)
	return err
}
