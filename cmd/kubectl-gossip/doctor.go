// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// installation is where k8s/ puts both components.
const installation = "kernel-gossip"

func (g *gossip) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor [NODE...]", Short: "Say what the kernels of the nodes let the observers hear, and what is wrong in the cluster",
		Long: "doctor asks the observer of every node, by way of the API server, and checks the installation.\n" +
			"Of named nodes it tells everything. -n names the namespace of the installation, if it is not " + installation + ".\n\n" +
			"Exit codes: 0 everything is heard, 1 something is broken, does not answer or could not be asked,\n" +
			"2 wrong use; else that of the worst node: 3 degraded, 4 no eBPF (the floor), 5 deaf.",
		Example: `  kubectl gossip doctor
  kubectl gossip doctor worker-7
  kubectl gossip doctor -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := g.check(cmd); err != nil {
				return err
			}
			g.parsed = true
			return g.examine(cmd.Context(), args)
		},
	}
	g.addOutput(cmd, "text, wide, yaml or json")
	g.addColor(cmd)
	return cmd
}

// kube is a client for what comes with every cluster.
func (g *gossip) kube() (kubernetes.Interface, error) {
	config, err := g.cluster()
	if err != nil {
		return nil, err
	}
	config.WarningHandler = rest.NoWarnings{} // the API server's remarks are no part of the output
	// Thousands of nodes are asked; that only some are at a time is what spares the API server.
	config.QPS = -1
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType + ",application/json"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	return client, nil
}

func (g *gossip) examine(ctx context.Context, names []string) error {
	client, err := g.kube()
	if err != nil {
		return err
	}
	namespace := installation
	if flag := g.config.Namespace; flag != nil && *flag != "" {
		namespace = *flag
	}
	if _, err := client.Discovery().ServerVersion(); err != nil {
		return fmt.Errorf("ask the API server: %w", err)
	}
	s := &survey{client: client, namespace: namespace, progress: g.progress()}
	c := &doctor.Cluster{Time: g.now().UTC().Truncate(time.Second)}
	patients, err := s.patients(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if c.Checks, err = s.checks(ctx, patients); err != nil {
			return err
		}
	} else if patients, err = chosen(patients, names); err != nil {
		return err
	}
	if err := s.ask(ctx, patients); err != nil {
		return err
	}
	for _, p := range patients {
		c.Nodes = append(c.Nodes, p.Node)
	}
	c.Diagnose()
	g.code = codeOf(c)
	return g.tell(c, len(names) > 0)
}

// chosen are the nodes of these names.
func chosen(all []*patient, names []string) ([]*patient, error) {
	var out []*patient
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		i := slices.IndexFunc(all, func(p *patient) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no node %q in this cluster, or none with Linux", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func codeOf(c *doctor.Cluster) int {
	if c.Broken() || c.Verdict == "" {
		return exitFailure
	}
	return c.Verdict.ExitCode()
}

// tell writes a cluster's report; of nodes that were named, everything.
func (g *gossip) tell(c *doctor.Cluster, named bool) error {
	switch {
	case g.output == formatJSON || g.output == formatYAML:
		return g.writeRaw(c)
	case !named:
		return view.Cluster(g.Out, c, g.terminal(), g.output == formatWide)
	}
	for i := range c.Nodes {
		if i > 0 {
			if _, err := fmt.Fprintln(g.Out); err != nil {
				return err
			}
		}
		if err := view.NodeOf(g.Out, &c.Nodes[i], g.terminal()); err != nil {
			return err
		}
	}
	return nil
}
