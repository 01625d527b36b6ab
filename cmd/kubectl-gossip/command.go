// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// gossip is what all commands share.
type gossip struct {
	genericiooptions.IOStreams
	config        *genericclioptions.ConfigFlags
	allNamespaces bool
	output        string
	order         string
	color         string
	sections      sections
	now           func() time.Time
	getenv        func(string) string
	size          func() (columns int, terminal bool)
	// parsed is true once the command line was understood: later errors are not
	// about its use.
	parsed bool
}

func newGossip(streams genericiooptions.IOStreams) *gossip {
	return &gossip{
		IOStreams: streams, config: genericclioptions.NewConfigFlags(true), now: time.Now,
		getenv: os.Getenv, size: func() (int, bool) { return sizeOf(streams.Out) },
	}
}

func (g *gossip) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "kubectl-gossip",
		Short:         "What the kernel says of your pods",
		SilenceUsage:  true,
		SilenceErrors: true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl gossip"},
		// Without a command there is nothing to do but to say which there are.
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	g.config.AddFlags(root.PersistentFlags())
	root.AddCommand(g.birthsCommand(), g.birthCommand(), g.whispersCommand(), g.explainCommand())
	return root
}

func (g *gossip) whispersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "whispers", Short: "List the episodes in which containers suffered", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list v1alpha1.KernelWhisperList
			if err := g.list(cmd, &list); err != nil {
				return err
			}
			return view.Whispers(g.Out, list.Items, g.terminal(), g.allNamespaces, g.now())
		},
	}
	g.addAllNamespaces(cmd)
	g.addColor(cmd)
	return cmd
}

func (g *gossip) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain WHISPER|POD", Short: "Explain one episode: the kernel's truth beside the metric's claim", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var list v1alpha1.KernelWhisperList
			if err := g.list(cmd, &list); err != nil {
				return err
			}
			w := lastWhisper(list.Items, args[0])
			if w == nil {
				return fmt.Errorf("no whisper %q and none of a pod of that name; kubectl gossip whispers lists what there is", args[0])
			}
			return g.write(w, "KernelWhisper", func() error { return view.Whisper(g.Out, w, g.terminal()) })
		},
	}
	g.addOutput(cmd, "text, yaml or json")
	g.addColor(cmd)
	return cmd
}

func (g *gossip) addAllNamespaces(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&g.allNamespaces, "all-namespaces", "A", false, "of all namespaces")
}

func (g *gossip) addOutput(cmd *cobra.Command, formats string) {
	cmd.Flags().StringVarP(&g.output, "output", "o", formatText, formats)
}

func (g *gossip) addColor(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.color, "color", colorAuto, "auto (on a terminal, unless NO_COLOR is set), always or never")
}

// list reads all objects of a kind, of the namespace that the flags name.
func (g *gossip) list(cmd *cobra.Command, list client.ObjectList) error {
	if err := g.check(cmd); err != nil {
		return err
	}
	g.parsed = true
	config, err := g.config.ToRESTConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	var options []client.ListOption
	if !g.allNamespaces {
		namespace, _, err := g.config.ToRawKubeConfigLoader().Namespace()
		if err != nil {
			return fmt.Errorf("find the namespace: %w", err)
		}
		options = append(options, client.InNamespace(namespace))
	}
	err = c.List(cmd.Context(), list, options...)
	if meta.IsNoMatchError(err) {
		return errors.New("Kernel Gossip is not installed in this cluster: kubectl apply -f k8s/") //nolint:staticcheck // a name
	}
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return nil
}
