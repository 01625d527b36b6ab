// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/record"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

var update = flag.Bool("update", false, "write the golden files anew")

// found are the objects that a recording gives, in their order.
type found struct {
	certificates map[string]*v1alpha1.PodBirthCertificate
	whispers     map[string][]*v1alpha1.KernelWhisper
	inOrder      []*v1alpha1.KernelWhisper
}

func (f *found) Certificate(c *v1alpha1.PodBirthCertificate) { f.certificates[c.Spec.PodRef.Name] = c }

func (f *found) Whisper(w *v1alpha1.KernelWhisper) {
	f.whispers[w.Spec.PodRef.Name] = append(f.whispers[w.Spec.PodRef.Name], w)
	f.inOrder = append(f.inOrder, w)
}

// play plays a recording of a real node: see testdata/README.md for its origin.
func play(t *testing.T, file string) *found {
	t.Helper()
	return playWith(t, file, cpu.DefaultConfig().LeanIn)
}

// playWith plays one that was made with lean-ins of another length.
func playWith(t *testing.T, file string, leanIn time.Duration) *found {
	t.Helper()
	r, err := record.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return playRecording(t, r, leanIn)
}

// playFrom plays one from a stream.
func playFrom(t *testing.T, in io.Reader, leanIn time.Duration) *found {
	t.Helper()
	r, err := record.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	return playRecording(t, r, leanIn)
}

func playRecording(t *testing.T, r *record.Replay, leanIn time.Duration) *found {
	t.Helper()
	names, err := syscalls.Names()
	if err != nil {
		t.Fatal(err)
	}
	config := observer.Config{
		Birth: birth.Config{
			NodeName: "node1", Remarks: r.WithRemarks(), Wall: r.Wall, SyscallName: names,
			Settle: 300 * time.Millisecond, Timeout: 10 * time.Minute,
		},
		CPU: cpu.DefaultConfig(), DisarmAfter: 5 * time.Second,
	}
	config.CPU.NodeName, config.CPU.Wall, config.CPU.LeanIn = "node1", r.Wall, leanIn
	config.WeightsV2 = r.WeightsV2()
	f := &found{certificates: map[string]*v1alpha1.PodBirthCertificate{}, whispers: map[string][]*v1alpha1.KernelWhisper{}}
	engine, err := observer.NewEngine(config, r, slog.New(slog.DiscardHandler), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), engine); err != nil {
		t.Fatal(err)
	}
	return f
}

const sevenBirths = "testdata/seven-births.jsonl"

func TestRecordedBirths(t *testing.T) {
	f := play(t, sevenBirths)
	for name, want := range map[string]struct {
		outcome    v1alpha1.Outcome
		containers []string
		networks   int64
		workload   int64 // system calls; -1: not fixed
	}{
		"web-r4chb": {v1alpha1.OutcomeReady, []string{"nginx"}, 1, 249},
		"web-mv9gq": {v1alpha1.OutcomeReady, []string{"nginx"}, 1, 249},
		"busy":      {v1alpha1.OutcomeReady, []string{"first", "app"}, 1, -1},
		"host":      {v1alpha1.OutcomeReady, []string{"app"}, 0, 16},
		"job":       {v1alpha1.OutcomeReady, []string{"app"}, 1, 16},
		"deleted":   {v1alpha1.OutcomeFailed, []string{"slow"}, 1, 16},
		"missing":   {v1alpha1.OutcomeFailed, nil, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := f.certificates[name]
			if c == nil {
				t.Fatal("no certificate")
			}
			s := c.Spec
			if s.Outcome != want.outcome {
				t.Errorf("outcome %s, want %s", s.Outcome, want.outcome)
			}
			var ran []string
			for _, m := range s.Milestones.Containers {
				if m.EntrypointExec != nil {
					ran = append(ran, m.Name)
				}
			}
			if !slices.Equal(ran, want.containers) {
				t.Errorf("entrypoints of %v, want %v", ran, want.containers)
			}
			if n := s.KernelStats.NamespacesCreated.Network; n != want.networks {
				t.Errorf("%d network namespaces, want %d", n, want.networks)
			}
			if n := workloadSyscalls(s.KernelStats.Actors); want.workload >= 0 && n != want.workload {
				t.Errorf("the workload's system calls: %d, want %d", n, want.workload)
			}
			if s.Coverage.AttributedPercent != "100.0" {
				t.Errorf("attributed %s %%", s.Coverage.AttributedPercent)
			}
			checkShape(t, c)
		})
	}
	if len(f.certificates) != 7 {
		t.Errorf("%d certificates", len(f.certificates))
	}
}

func workloadSyscalls(actors []v1alpha1.ActorStats) int64 {
	var n int64
	for _, a := range actors {
		if a.Actor == v1alpha1.ActorWorkload && a.Container != v1alpha1.SandboxContainer {
			n += a.Syscalls
		}
	}
	return n
}

// checkShape checks what holds for every certificate.
func checkShape(t *testing.T, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 16*1024 {
		t.Errorf("%d bytes", len(raw))
	}
	s := c.Spec
	var sum int64
	for _, a := range s.KernelStats.Actors {
		sum += a.Syscalls
	}
	if sum != s.KernelStats.TotalSyscalls || sum == 0 {
		t.Errorf("the actors have %d system calls, the total is %d", sum, s.KernelStats.TotalSyscalls)
	}
	if !slices.IsSortedFunc(s.Timeline, func(a, b v1alpha1.TimelineEntry) int {
		return int(a.OffsetMicroseconds - b.OffsetMicroseconds)
	}) {
		t.Error("the timeline is not in order")
	}
	for _, p := range s.Phases {
		if p.WaitMicroseconds != nil && *p.WaitMicroseconds > p.DurationMicroseconds {
			t.Errorf("phase %s waited longer than it lasted", p.Name)
		}
	}
	if s.Complete && (len(s.Coverage.Missing) > 0 || s.Coverage.LostEvents > 0) {
		t.Errorf("complete with %v missing", s.Coverage.Missing)
	}
	for _, secret := range []string{"--bundle", "/run/containerd", "K8S_POD"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("an argument of a process is in the certificate: %q", secret)
		}
	}
}

func TestRecordedFailures(t *testing.T) {
	f := play(t, sevenBirths)
	missing, deleted := f.certificates["missing"].Spec.Failure, f.certificates["deleted"].Spec.Failure
	if missing == nil || missing.Step != "Entrypoint" || missing.Errno != "ENOENT" || missing.File != "/no/such/file" || missing.Container != "app" ||
		!strings.Contains(missing.Message, "no such file or directory") {
		t.Errorf("missing entrypoint: %+v", missing)
	}
	if deleted == nil || deleted.Step != "InitContainer" || deleted.Container != "slow" ||
		deleted.Message != "the pod was deleted before it was Ready" {
		t.Errorf("deleted pod: %+v", deleted)
	}
}

func TestRecordedThrottling(t *testing.T) {
	f := play(t, sevenBirths)
	told := f.whispers["busy"]
	if len(told) < 3 {
		t.Fatalf("%d whispers of one episode", len(told))
	}
	first, last := told[0], told[len(told)-1]
	if first.Name != last.Name {
		t.Errorf("one episode has the names %s and %s", first.Name, last.Name)
	}
	if first.Spec.EndTime != nil || last.Spec.EndTime == nil || *last.Spec.EndTime != last.Spec.LastSeenTime {
		t.Errorf("ends: %v, %v", first.Spec.EndTime, last.Spec.EndTime)
	}
	if k := first.Spec.KernelTruth; k.ThrottledPeriods != 10 || k.QuotaMicroseconds != 10_000 || k.PeriodMicroseconds != 100_000 {
		t.Errorf("kernel truth: %+v", k)
	}
	if k := told[1].Spec.KernelTruth; k.UsageMillicores < 95 || k.UsageMillicores > 105 || k.DemandMillicores < 850 || k.DemandMillicores > 1000 {
		t.Errorf("a busy loop at 100m: used %dm, wanted %dm", k.UsageMillicores, k.DemandMillicores)
	}
	for _, pod := range []string{"web-r4chb", "host", "job", "deleted"} {
		if len(f.whispers[pod]) > 0 {
			t.Errorf("pod %s has no limit and a whisper", pod)
		}
	}
	raw, err := json.Marshal(last)
	if err != nil || len(raw) > 8*1024 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}

// The whole certificate of one birth, so that a change of any field shows.
func TestRecordedCertificateIsGolden(t *testing.T) {
	const golden = "testdata/web.golden.yaml"
	got, err := yaml.Marshal(play(t, sevenBirths).certificates["web-r4chb"])
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the certificate differs from %s (go test ./internal/observer -update writes it anew):\n%s", golden, got)
	}
}
