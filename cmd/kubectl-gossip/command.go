// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// gossip is what all commands share.
type gossip struct {
	genericiooptions.IOStreams
	config        *genericclioptions.ConfigFlags
	allNamespaces bool
	output        string
	order         string
	whispers      whisperFlags
	apply         applyFlags
	color         string
	sections      sections
	now           func() time.Time
	getenv        func(string) string
	size          func() (columns int, terminal bool)
	interactive   func() bool // somebody can be asked
	// code is the exit code of a command that did not fail.
	code int
	// parsed is true once the command line was understood: later errors are not
	// about its use.
	parsed bool
}

func newGossip(streams genericiooptions.IOStreams) *gossip {
	return &gossip{
		IOStreams: streams, config: genericclioptions.NewConfigFlags(true), now: time.Now,
		getenv: os.Getenv, size: func() (int, bool) { return sizeOf(streams.Out) },
		interactive: func() bool { _, terminal := sizeOf(streams.In); return terminal },
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
	root.AddCommand(g.birthsCommand(), g.birthCommand(), g.whispersCommand(), g.explainCommand(), g.applyCommand(), g.doctorCommand())
	return root
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

// client reaches the cluster that the flags name, and says which namespace they mean.
func (g *gossip) client(cmd *cobra.Command) (c client.Client, namespace string, err error) {
	if err := g.check(cmd); err != nil {
		return nil, "", err
	}
	g.parsed = true
	config, err := g.cluster()
	if err != nil {
		return nil, "", err
	}
	config.WarningHandler = rest.NoWarnings{} // the API server's remarks are no part of the output
	config.QPS = -1                           // one request after the other is slow enough
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, "", err
	}
	c, err = client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, "", fmt.Errorf("reach the cluster: %w", err)
	}
	namespace, _, err = g.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("find the namespace: %w", err)
	}
	return c, namespace, nil
}

// cluster is how to reach the one that the flags and the kubeconfig name. Without any,
// client-go would try a port of this machine.
func (g *gossip) cluster() (*rest.Config, error) {
	config, err := g.config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	if raw, err := g.config.ToRawKubeConfigLoader().RawConfig(); err == nil && len(raw.Clusters) == 0 && *g.config.APIServer == "" && config.BearerTokenFile == "" {
		return nil, errors.New("no cluster: set KUBECONFIG to a kubeconfig that exists, or pass --kubeconfig")
	}
	return config, nil
}

// installed says in words what a list of objects that do not exist here means.
func installed(err error) error {
	if meta.IsNoMatchError(err) {
		return errors.New("Kernel Gossip is not installed in this cluster: kubectl apply -f k8s/") //nolint:staticcheck // a name
	}
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	return nil
}
