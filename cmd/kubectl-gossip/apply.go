// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

type applyFlags struct {
	limit   string
	yes     bool
	wait    bool
	timeout time.Duration
	dryRun  string
}

// The values of --dry-run.
const (
	dryRunNone   = "none"
	dryRunServer = "server"
)

func (g *gossip) applyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apply WHISPER|POD", Short: "Resize the container of a whisper as it proposes, in place, and see what comes of it", Args: cobra.ExactArgs(1),
		Long: "Shows the change that a whisper proposes, asks, resizes the pod in place, waits until the kubelet has done so " +
			"and until the effect was measured, and sets that beside what was predicted. The template that the pod was made from is not touched.",
		Example: `  kubectl gossip apply web-r4chb
  kubectl gossip apply web-r4chb --limit=750m --yes
  kubectl gossip apply web-r4chb --dry-run=server`,
		RunE: func(cmd *cobra.Command, args []string) error { return g.runApply(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&g.apply.limit, "limit", "", "the CPU limit to set instead of the proposed one, such as 750m; the request stays where it can")
	f.BoolVarP(&g.apply.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&g.apply.wait, "wait", true, "wait until the kubelet has resized the container and the effect was measured")
	f.DurationVar(&g.apply.timeout, "timeout", 3*time.Minute, "for how long to wait")
	f.StringVar(&g.apply.dryRun, "dry-run", dryRunNone, "none, or server: show the change and let the API server check it, without making it")
	g.addColor(cmd)
	return cmd
}

// checkApply refuses what could not be answered later.
func (g *gossip) checkApply() error {
	if _, err := parseLimit(g.apply.limit); err != nil {
		return err
	}
	if g.apply.timeout <= 0 {
		return fmt.Errorf("--timeout=%s: use a time above 0", g.apply.timeout)
	}
	if !g.apply.yes && g.apply.dryRun == dryRunNone && !g.interactive() {
		return errors.New("standard input is no terminal to ask at: use --yes to apply, or --dry-run=server to see the change")
	}
	return nil
}

func (g *gossip) runApply(cmd *cobra.Command, name string) error {
	ctx := cmd.Context()
	c, namespace, err := g.client(cmd)
	if err != nil {
		return err
	}
	w, err := findWhisper(ctx, c, namespace, name)
	if err != nil {
		return err
	}
	r := resizer{client: c, pod: client.ObjectKey{Namespace: namespace, Name: w.Spec.PodRef.Name}, whisper: w, progress: g.progress()}
	r.limit, _ = parseLimit(g.apply.limit) // checked before
	if err := r.plan(ctx); err != nil {
		return err
	}
	if err := r.dryRun(ctx); err != nil {
		return err
	}
	if err := g.show(ctx, &r); err != nil {
		return err
	}
	if g.apply.dryRun == dryRunServer {
		_, err := fmt.Fprintln(g.Out, "\nThe API server accepts this change. It was not made (--dry-run=server).")
		return err
	}
	if err := g.confirm(ctx); err != nil {
		return err
	}
	if err := r.resize(ctx); err != nil {
		return err
	}
	return g.follow(ctx, &r)
}

// show tells of the change before it is made.
func (g *gossip) show(ctx context.Context, r *resizer) error {
	owners, unread := ownersOf(ctx, r.client, r.found)
	says, commands := template(r.pod.Namespace, owners, unread, &r.change)
	ch, w := &r.change, r.whisper
	shown := view.Change{
		Namespace: r.pod.Namespace, Pod: r.pod.Name, Node: r.found.Spec.NodeName, Container: ch.container, Whisper: w.Name,
		LimitFrom: ch.limitFrom, LimitTo: ch.limitTo, RequestFrom: ch.requestFrom, RequestTo: ch.requestTo, RequestWhy: ch.requestWhy,
		QoS: string(r.found.Status.QOSClass), Restarts: ch.restarts, Template: says, Commands: commands,
	}
	shown.Unpredicted = "the limit stays, and effects of a request are not replayed"
	if ch.limitFrom != ch.limitTo {
		shown.Predicted, shown.Unpredicted = predicted(w, ch.limitTo)
	}
	if pr := w.Status.Proposal; pr != nil {
		shown.Target, shown.LowerBound = &pr.Target, pr.LowerBound
	}
	return view.WriteChange(g.Out, &shown, g.terminal())
}

func (g *gossip) confirm(ctx context.Context) error {
	if g.apply.yes {
		return nil
	}
	if _, err := fmt.Fprint(g.Out, "\nResize it? [y/N] "); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() { // a read cannot be interrupted; it ends with the program
		line, _ := bufio.NewReader(g.In).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
	case a := <-answer:
		if a == "y" || a == "yes" {
			return nil
		}
	}
	return errors.New("nothing was changed")
}

// follow waits for the kubelet and for the measurement.
func (g *gossip) follow(ctx context.Context, r *resizer) error {
	undo := r.undo()
	if !g.apply.wait {
		_, err := fmt.Fprintf(g.Out, "\nThe API server took the change; the kubelet makes it now.\n%s", undo)
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, g.apply.timeout, fmt.Errorf("not within %s (--timeout)", g.apply.timeout))
	defer cancel()
	if err := r.awaitKubelet(ctx); err != nil {
		return fmt.Errorf("%w; %s", err, strings.TrimSpace(undo))
	}
	if _, err := fmt.Fprintf(g.Out, "\nThe kubelet has resized the container.\n%s", undo); err != nil {
		return err
	}
	if why := r.unmeasured(g.now()); why != "" {
		_, err := fmt.Fprintf(g.Out, "The effect will not be measured: %s.\n", why)
		return err
	}
	o, err := r.awaitOutcome(ctx)
	if err != nil {
		return fmt.Errorf("%w; the change is in force, and kubectl gossip explain %s tells what comes of it", err, r.whisper.Name)
	}
	if _, err := fmt.Fprintln(g.Out); err != nil {
		return err
	}
	return view.Outcome(g.Out, o, g.terminal())
}

// cpuOf a container's status, in millicores, as the kubelet has actuated it.
func cpuOf(pod *corev1.Pod, c *change) (limit, request int64, known bool) {
	all := pod.Status.ContainerStatuses
	if c.init {
		all = pod.Status.InitContainerStatuses
	}
	for i := range all {
		if r := all[i].Resources; all[i].Name == c.container && r != nil {
			return r.Limits.Cpu().MilliValue(), r.Requests.Cpu().MilliValue(), true
		}
	}
	return 0, 0, false
}
