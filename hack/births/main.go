// SPDX-License-Identifier: Apache-2.0

// Command births starts pods of real images one after the other on the cluster
// of KUBECONFIG, reads their birth certificates and prints where the time and the
// system calls went, as Markdown. hack/births/run.sh prepares the cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func main() {
	n := flag.Int("n", 5, "births of each image")
	out := flag.String("o", "", "file to write to as well as to standard output")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *n, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "births:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n int, out string, images []string) error {
	if n < 1 || len(images) == 0 {
		return errors.New("no image named: births [-n BIRTHS] [-o FILE] IMAGE")
	}
	c, err := connect()
	if err != nil {
		return err
	}
	machine, err := describe(ctx, c)
	if err != nil {
		return err
	}
	s, err := newStage(ctx, c)
	if err != nil {
		return err
	}
	born := map[string][]*v1alpha1.PodBirthCertificate{}
	total := n * len(images)
	done := 0
	for i := range n {
		for _, image := range images { // in turn, so that what disturbs hits all
			done++
			fmt.Fprintf(os.Stderr, "\rbirth %d of %d ", done, total)
			certificate, err := s.birth(ctx, image, i)
			if err != nil {
				return errors.Join(err, s.close())
			}
			born[image] = append(born[image], certificate)
		}
	}
	fmt.Fprintln(os.Stderr)
	if err := s.close(); err != nil {
		return err
	}
	text := render(machine, images, born)
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}

func connect() (client.WithWatch, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	types := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(types), v1alpha1.AddToScheme(types)); err != nil {
		return nil, fmt.Errorf("register types: %w", err)
	}
	return client.NewWithWatch(config, client.Options{Scheme: types})
}

// describe says what the births ran on, as far as the first node tells.
func describe(ctx context.Context, c client.Client) (string, error) {
	nodes, err := readyNodes(ctx, c)
	if err != nil {
		return "", err
	}
	info, cpus := nodes[0].Status.NodeInfo, nodes[0].Status.Capacity.Cpu()
	return fmt.Sprintf("Linux %s, %s, %s CPUs, Kubernetes %s, %s", info.KernelVersion, info.Architecture, cpus,
		info.KubeletVersion, strings.Replace(info.ContainerRuntimeVersion, "://", " ", 1)), nil
}
