// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

// runDoctor gives the exit code of one that succeeds, and what it wrote.
func runDoctor(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var o options
	var out bytes.Buffer
	cmd := newCommand(&o)
	cmd.SetArgs(append([]string{"doctor"}, args...))
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("doctor %q: %v", args, err)
	}
	return o.code, out.String()
}

// TestDoctorWithoutBPF needs no rights: whatever the machine has below BPF.
func TestDoctorWithoutBPF(t *testing.T) {
	code, out := runDoctor(t, "--without", "bpf", "--node-name", "a", "-o", "json")
	var r doctor.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if r.Verdict != doctor.Floor && r.Verdict != doctor.Deaf || code != r.Verdict.ExitCode() || r.Node != "a" || r.Kind != doctor.NodeKind {
		t.Errorf("exit code %d, %+v", code, r)
	}
	if len(r.Hooks) != len(hooks.Ladders()) || len(r.Mends) == 0 || r.Mends[0].Do != "leave --without bpf out" || len(r.Without) != 1 {
		t.Errorf("%+v", r)
	}
	var y doctor.Report
	if _, out := runDoctor(t, "--without", "bpf", "--node-name", "a", "-o", "yaml"); yaml.UnmarshalStrict([]byte(out), &y) != nil || y.Verdict != r.Verdict {
		t.Errorf("yaml: %s", out)
	}
	if _, out := runDoctor(t, "--without", "bpf", "--color=always"); !strings.HasPrefix(out, "\x1b[2mverdict") {
		t.Errorf("text: %q", out)
	}
}

func TestDoctorsWrongUse(t *testing.T) {
	for _, args := range []string{"-o svg", "--color=blue", "--without=frob", "--btf=/does/not/exist", "--cgroup-root=/does/not/exist", "more"} {
		if code := execute(t.Context(), append([]string{"doctor"}, strings.Fields(args)...), io.Discard); code != exitUsage {
			t.Errorf("doctor %s: exit code %d", args, code)
		}
	}
}

// TestExaminer asks an observer for its report as HTTP does.
func TestExaminer(t *testing.T) {
	const pod = "/kubepods/pod7f9f1f12-8b4b-4f3b-a6ec-a4906d7e05f2"
	walks, fails := 0, true
	var log bytes.Buffer
	without, err := hooks.ParseWithout([]string{"test_run"})
	if err != nil {
		t.Fatal(err)
	}
	x := newExaminer(&options{nodeName: "a", taken: without},
		func() hooks.Plan { return hooks.Choose(hooks.Offer{}, without) },
		func(visit func(id, pointer uint64, path string)) error {
			walks++
			visit(1, 0, pod)
			if fails {
				return errors.New("not all")
			}
			visit(2, 0, strings.Replace(pod, "7f9f", "8f9f", 1))
			return nil
		}, slog.New(slog.NewTextHandler(&log, nil)))
	s := &state{examiner: x}
	s.set(observer.Stats{Cgroups: 7, Loss: event.Loss{Events: 3}})
	ask := func() (r doctor.Report) {
		t.Helper()
		w := httptest.NewRecorder()
		s.examine(w, httptest.NewRequest(http.MethodGet, "/doctor", nil))
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return r
	}
	later := func() { x.looked = x.looked.Add(-lookAgain) }
	for range 2 {
		if r := ask(); r.Cgroup.Pods != 1 || walks != 1 {
			t.Errorf("a walk that failed: %+v, %d walks", r.Cgroup, walks)
		}
	}
	later()
	if ask(); walks != 2 || strings.Count(log.String(), "not all") != 1 {
		t.Errorf("%d walks, %s", walks, log.String())
	}
	fails = false
	later()
	ask()
	r := ask() // of what the third one saw
	if r.Cgroup.Pods != 2 || doctor.Names(r.Cgroup.Drivers) != "cgroupfs" || walks != 3 {
		t.Errorf("%+v, %d walks", r.Cgroup, walks)
	}
	if r.Verdict != doctor.Degraded || r.Observer == nil || r.Observer.Cgroups != 7 || r.Observer.Lost["events"] != 3 || r.Without[0] != "test_run" {
		t.Errorf("%+v", r)
	}
}

// BenchmarkExaminer is what a question costs the observer, but for the walk.
func BenchmarkExaminer(b *testing.B) {
	plan := hooks.Choose(hooks.Offer{}, hooks.Without{})
	x := newExaminer(&options{nodeName: "a"}, func() hooks.Plan { return plan }, func(func(id, pointer uint64, path string)) error { return nil }, slog.New(slog.DiscardHandler))
	s := &state{examiner: x}
	request := httptest.NewRequest(http.MethodGet, "/doctor", nil)
	for b.Loop() {
		s.examine(httptest.NewRecorder(), request)
	}
}
