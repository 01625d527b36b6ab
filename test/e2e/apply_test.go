// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
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
	command := exec.CommandContext(s.t.Context(), s.f.built(s.t, "kubectl-gossip"), append(args, "-n", s.namespace)...)
	command.Env = os.Environ()
	out, err := command.CombinedOutput()
	return string(out), err
}

// TestChangesAreMeasured changes limits in two ways. Both take half a minute of
// measuring and little CPU, and two is how many the observer listens to at once.
func TestChangesAreMeasured(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	f.alone(t)
	t.Run("a proposal that is applied", func(t *testing.T) {
		t.Parallel()
		proposalIsMeasured(t, f, node)
	})
	t.Run("any other change", func(t *testing.T) {
		t.Parallel()
		anyChangeIsMeasured(t, f, node)
	})
}

// proposalIsMeasured closes the loop: whisper, proposal, resize in place, and the
// prediction beside what came.
func proposalIsMeasured(t *testing.T, f *fixture, node *localNode) {
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
	done := s.whisper(server, "with the outcome", 2*patience, func(w *v1alpha1.KernelWhisper) bool { return w.Status.Outcome != nil })
	// The proposal that was applied is the latest: a further recording may have moved it.
	applied := done.object.Status.Outcome.LimitMillicores
	wantQuota(t, node, server, id, applied)
	compareOutcome(t, done, samples, id, applied)
	for _, want := range []string{fmt.Sprintf("200m → %dm", applied), "PREDICTED", done.object.Status.Outcome.MeasuredThrottledPercent + "% of"} {
		if !strings.Contains(out, want) {
			t.Errorf("the command does not show %q", want)
		}
	}
}

// anyChangeIsMeasured: a limit that somebody changed without us.
func anyChangeIsMeasured(t *testing.T, f *fixture, node *localNode) {
	s := newScene(t, f)
	server := s.create("service", load("tick", "-threads", "1", "-every", "250ms", "-cpu", "30ms"), cpuLimit("200m"))
	samples := startSampler(t, node, string(server.UID))
	id := containerID(s.ready(server).object)
	recorded(s, server)
	resize(t, s, server, 250)
	wantQuota(t, node, server, id, 250)
	done := s.whisper(server, "with the outcome", 2*patience, func(w *v1alpha1.KernelWhisper) bool { return w.Status.Outcome != nil })
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
	file, want := "cpu.cfs_quota_us", fmt.Sprint(millicores*100)
	if node.unified {
		file, want = "cpu.max", want+" 100000"
	}
	path := filepath.Join(node.cpu, node.container(t, string(p.UID), container), file)
	eventually(t, fmt.Sprintf("a quota of %dm in %s", millicores, path), func() bool {
		raw, err := os.ReadFile(path)
		return err == nil && strings.TrimSpace(string(raw)) == want
	})
}

// compareOutcome holds the measured outcome against cpu.stat after the change. When
// its measurement began is not told: some time after the change.
func compareOutcome(t *testing.T, seen sighting[*v1alpha1.KernelWhisper], s *sampler, container string, limit int64) {
	t.Helper()
	o, c := seen.object.Status.Outcome, seen.object.Spec.Change
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
	cgroup := own
	if c.Measured.ThrottledAt == v1alpha1.ThrottledAtPod {
		cgroup = filepath.Dir(own)
	}
	measured := time.Duration(c.Measured.WindowMilliseconds) * time.Millisecond
	what, tried := "", 0
	for from := c.Time.Time; !from.Add(measured).After(seen.at); from = from.Add(samplingInterval / 2) {
		g := mustGrow(t, s, cgroup, from, from.Add(measured))
		if what, tried = g.differs(*c.Measured), tried+1; what == "" {
			t.Logf("predicted %s %% (%s to %s), measured %s %%, by cpu.stat %s %% from %s after the change on", o.Predicted.ThrottledPercent,
				o.Predicted.ThrottledPercentLow, o.Predicted.ThrottledPercentHigh, o.MeasuredThrottledPercent, g.percent(), from.Sub(c.Time.Time))
			wantPercent(t, *c.Measured, g)
			break
		}
	}
	if what != "" || tried == 0 {
		t.Errorf("measured %+v; in none of %d windows of that length after the change it is what cpu.stat says, in the last: %s", *c.Measured, tried, what)
	}
	if o.MeasuredThrottledPercent != c.Measured.ThrottledPercent {
		t.Errorf("the outcome says %s %%, what was measured %s %%", o.MeasuredThrottledPercent, c.Measured.ThrottledPercent)
	}
}
