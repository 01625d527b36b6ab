// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// gossip runs kubectl gossip in the scene's namespace.
func (s *scene) gossip(args ...string) (string, error) {
	s.t.Helper()
	program := filepath.Join(s.t.TempDir(), "kubectl-gossip")
	build := exec.Command("go", "build", "-o", program, "../../cmd/kubectl-gossip")
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("build kubectl-gossip: %v: %s", err, out)
	}
	command := exec.CommandContext(s.t.Context(), program, append(args, "-n", s.namespace)...)
	command.Env = os.Environ()
	out, err := command.CombinedOutput()
	return string(out), err
}

// TestAProposalIsAppliedAndMeasured closes the loop: whisper, proposal, resize in
// place, and the prediction beside what came.
func TestAProposalIsAppliedAndMeasured(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	s := newScene(t, f)
	server := s.create("service", load("serve", "-threads", "2", "-cpu", "15ms"), cpuLimit("200m"))
	samples := startSampler(t, node, string(server.UID))
	id := containerID(s.ready(server).object)
	asks(s, server, "-rate", "9")
	w := recorded(s, server)
	if w.Status.Proposal == nil || w.Status.Proposal.LimitMillicores == nil {
		t.Fatalf("no proposal: %+v", w.Status)
	}
	out, err := s.gossip("apply", w.Name, "--yes")
	if err != nil {
		t.Fatalf("kubectl gossip apply: %v\n%s", err, out)
	}
	t.Logf("\n%s", out)
	done := s.whisper(server, "with the outcome", 2*patience, func(w *v1alpha1.KernelWhisper) bool { return w.Status.Outcome != nil }).object
	// The proposal that was applied is the latest: a further recording may have moved it.
	applied := done.Status.Outcome.LimitMillicores
	wantQuota(t, node, server, id, applied)
	compareOutcome(t, done, samples, id, applied)
	for _, want := range []string{fmt.Sprintf("200m → %dm", applied), "PREDICTED", done.Status.Outcome.MeasuredThrottledPercent + "% of"} {
		if !strings.Contains(out, want) {
			t.Errorf("the command does not show %q", want)
		}
	}
}

// TestAnyChangeIsMeasured: a limit that somebody changed without us.
func TestAnyChangeIsMeasured(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	s := newScene(t, f)
	server := s.create("service", load("tick", "-threads", "1", "-every", "250ms", "-cpu", "30ms"), cpuLimit("200m"))
	samples := startSampler(t, node, string(server.UID))
	id := containerID(s.ready(server).object)
	recorded(s, server)
	resize(t, s, server, 250)
	wantQuota(t, node, server, id, 250)
	done := s.whisper(server, "with the outcome", 2*patience, func(w *v1alpha1.KernelWhisper) bool { return w.Status.Outcome != nil }).object
	compareOutcome(t, done, samples, id, 250)
}

func resize(t *testing.T, s *scene, p *corev1.Pod, millicores int64) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"containers":[{"name":%q,"resources":{"limits":{"cpu":"%dm"}}}]}}`, app, millicores)
	_, err := s.f.kube.CoreV1().Pods(p.Namespace).Patch(t.Context(), p.Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "resize")
	if err != nil {
		t.Fatalf("resize: %v", err)
	}
}

// wantQuota waits until the kernel has the limit.
func wantQuota(t *testing.T, node *localNode, p *corev1.Pod, container string, millicores int64) {
	t.Helper()
	path := filepath.Join(node.cpu, node.container(t, string(p.UID), container), "cpu.cfs_quota_us")
	eventually(t, fmt.Sprintf("a quota of %dm in %s", millicores, path), func() bool {
		raw, err := os.ReadFile(path)
		return err == nil && strings.TrimSpace(string(raw)) == fmt.Sprint(millicores*100)
	})
}

// compareOutcome holds the measured outcome against cpu.stat after the change.
func compareOutcome(t *testing.T, w *v1alpha1.KernelWhisper, s *sampler, container string, limit int64) {
	t.Helper()
	o, c := w.Status.Outcome, w.Spec.Change
	t.Log(o.Summary)
	if o.LimitMillicores != limit || c == nil || c.ToMillicores != limit || c.Measured == nil {
		t.Fatalf("outcome %+v of change %+v, want one to %dm", o, c, limit)
	}
	if o.Predicted == nil || o.WithinInterval == nil {
		t.Fatalf("the outcome has no prediction: %+v", o)
	}
	own, err := s.find(container)
	if err != nil {
		t.Fatal(err)
	}
	window := time.Duration(c.Measured.WindowMilliseconds) * time.Millisecond
	from := c.Time.Time
	want := 0.0
	for _, cgroup := range []string{own, filepath.Dir(own)} {
		a, z := mustNear(t, s, cgroup, from), mustNear(t, s, cgroup, from.Add(window))
		if n := z.periods - a.periods; n > 0 {
			want = math.Max(want, 100*float64(z.throttled-a.throttled)/float64(n))
		}
	}
	got := parse(t, o.MeasuredThrottledPercent)
	t.Logf("predicted %s %% (%s to %s), measured %.1f %%, by cpu.stat %.1f %%", o.Predicted.ThrottledPercent,
		o.Predicted.ThrottledPercentLow, o.Predicted.ThrottledPercentHigh, got, want)
	if math.Abs(got-want) > 5 {
		t.Errorf("measured %.1f %% of periods, cpu.stat says %.1f %%", got, want)
	}
}
