// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestGoodObjectsAreAccepted(t *testing.T) {
	f := cluster(t)
	for name, build := range map[string]func(string) client.Object{
		"minimal whisper":     func(ns string) client.Object { return minimalWhisper(ns) },
		"full whisper":        func(ns string) client.Object { return fullWhisper(ns) },
		"minimal certificate": func(ns string) client.Object { return minimalCertificate(ns) },
		"full certificate":    func(ns string) client.Object { return fullCertificate(ns) },
		"failed certificate":  func(ns string) client.Object { return failedCertificate(ns) },
	} {
		t.Run(name, func(t *testing.T) {
			object := loose(t, build(f.namespace(t)))
			if err := f.admin(t).Create(t.Context(), object, strictly); err != nil {
				t.Errorf("rejected: %v", err)
			}
		})
	}
}

// strictly makes the API server refuse fields that it does not know, as kubectl does.
var strictly = &client.CreateOptions{FieldValidation: metav1.FieldValidationStrict}

// bad is one change that makes a good object bad.
type bad struct {
	name  string
	value any // nil removes the field
	path  string
	want  string
}

func TestBadWhispersAreRejected(t *testing.T) {
	f := cluster(t)
	long := strings.Repeat("x", 600)
	tooMuch := make([]any, 13)
	for i := range tooMuch {
		tooMuch[i] = map[string]any{"source": "s", "before": "1", "after": "2"}
	}
	rejects(t, f, func(ns string) client.Object { return fullWhisper(ns) }, []bad{
		{"percent without decimal", "98", "spec.kernelTruth.throttledPercent", "spec.kernelTruth.throttledPercent in body should match"},
		{"percent above 100", "100.1", "spec.kernelTruth.throttledPercent", "spec.kernelTruth.throttledPercent in body should match"},
		{"lost percent in words", "most", "spec.kernelTruth.threadTimeLostPercent", "spec.kernelTruth.threadTimeLostPercent in body should match"},
		{"more throttled periods than periods", int64(100), "spec.kernelTruth.throttledPeriods", "throttledPeriods cannot exceed periods"},
		{"negative periods", int64(-1), "spec.kernelTruth.periods", "should be greater than or equal to 0"},
		{"negative usage", int64(-1), "spec.kernelTruth.usageMillicores", "spec.kernelTruth.usageMillicores in body should be greater than or equal to 0"},
		{"no window", int64(0), "spec.kernelTruth.windowMilliseconds", "spec.kernelTruth.windowMilliseconds in body should be greater than or equal to 1"},
		{"quota of zero", int64(0), "spec.kernelTruth.quotaMicroseconds", "spec.kernelTruth.quotaMicroseconds in body should be greater than or equal to 1"},
		{"period of zero", int64(0), "spec.kernelTruth.periodMicroseconds", "spec.kernelTruth.periodMicroseconds in body should be greater than or equal to 1"},
		{"unknown level", "Node", "spec.kernelTruth.throttledAt", `supported values: "Container", "Pod", "Ancestor"`},
		{"unknown reason", "MemoryPressure", "spec.reason", `supported values: "CPUThrottling"`},
		{"no truth", nil, "spec.kernelTruth", "spec.kernelTruth: Required value"},
		{"no demand", nil, "spec.kernelTruth.demandMillicores", "spec.kernelTruth.demandMillicores: Required value"},
		{"no pod", nil, "spec.podRef", "spec.podRef: Required value"},
		{"no spec", nil, "spec", "spec: Required value"},
		{"empty node", "", "spec.nodeName", "spec.nodeName in body should be at least 1 chars long"},
		{"long container name", long, "spec.containerName", "spec.containerName: Too long: may not be more than 63"},
		{"long pod UID", long, "spec.podRef.uid", "spec.podRef.uid: Too long: may not be more than 64"},
		{"too much evidence", tooMuch, "spec.evidence", "spec.evidence: Too many: 13: must have at most 12 items"},
		{"evidence without a source", []any{map[string]any{"source": "", "before": "1", "after": "2"}}, "spec.evidence", "spec.evidence[0].source in body should be at least 1 chars long"},
		{"start that is no time", "yesterday", "spec.startTime", "spec.startTime in body must be of type date-time"},
		{"a number as text", "99", "spec.kernelTruth.periods", "spec.kernelTruth.periods in body must be of type integer"},
		{"an unknown field", "x", "spec.colour", `unknown field "spec.colour"`},
	})
}

func TestBadCertificatesAreRejected(t *testing.T) {
	f := cluster(t)
	entry := map[string]any{"offsetMicroseconds": int64(1), "actor": "Kernel", "action": "CgroupCreated"}
	timeline := make([]any, 65)
	for i := range timeline {
		timeline[i] = entry
	}
	one := func(change map[string]any) []any {
		out := map[string]any{}
		for k, v := range entry {
			out[k] = v
		}
		for k, v := range change {
			out[k] = v
		}
		return []any{out}
	}
	app := map[string]any{"name": "app"}
	rejects(t, f, func(ns string) client.Object { return fullCertificate(ns) }, []bad{
		{"failed without saying where", "Failed", "spec.outcome", "failure is present exactly when outcome is Failed"},
		{"a failure of a birth that succeeded", map[string]any{"step": "Entrypoint", "actor": "Runtime"}, "spec.failure", "failure is present exactly when outcome is Failed"},
		{"complete while it is under way", true, "spec.underWay", "a birth that is under way is not complete"},
		{"attempts that did not fail", []any{map[string]any{"step": "ImagePull", "failed": int64(0)}}, "spec.attempts", "spec.attempts[0].failed in body should be greater than or equal to 1"},
		{"unknown outcome", "Lost", "spec.outcome", `supported values: "Pending", "Ready", "Running", "Failed"`},
		{"coverage that is no percentage", "all", "spec.coverage.attributedPercent", "spec.coverage.attributedPercent in body should match"},
		{"negative milestone", int64(-1), "spec.milestones.ready.offsetMicroseconds", "spec.milestones.ready.offsetMicroseconds in body should be greater than or equal to 0"},
		{"milestone without a clock", nil, "spec.milestones.ready.clock", "spec.milestones.ready.clock: Required value"},
		{"unknown clock", "Sundial", "spec.origin.clock", `supported values: "Kernel", "Watch", "API"`},
		{"no origin", nil, "spec.origin", "spec.origin: Required value"},
		{"a container twice", []any{app, app}, "spec.milestones.containers", `Duplicate value: {"name":"app"}`},
		{"timeline too long", timeline, "spec.timeline", "spec.timeline: Too many: 65: must have at most 64 items"},
		{"negative offset", one(map[string]any{"offsetMicroseconds": int64(-1)}), "spec.timeline", "spec.timeline[0].offsetMicroseconds in body should be greater than or equal to 0"},
		{"unknown actor", one(map[string]any{"actor": "Gremlin"}), "spec.timeline", `supported values: "Scheduler", "Kubelet", "Runtime", "CNI", "Kernel", "Workload"`},
		{"action of two words", one(map[string]any{"action": "did things"}), "spec.timeline", "spec.timeline[0].action in body should match"},
		{"detail too long", one(map[string]any{"detail": strings.Repeat("x", 161)}), "spec.timeline", "spec.timeline[0].detail: Too long: may not be more than 160"},
		{"negative syscalls", int64(-1), "spec.kernelStats.totalSyscalls", "spec.kernelStats.totalSyscalls in body should be greater than or equal to 0"},
		{"no coverage", nil, "spec.coverage", "spec.coverage: Required value"},
		{"completeness left open", nil, "spec.complete", "spec.complete: Required value"},
		{"a missing sentence too long", []any{strings.Repeat("x", 161)}, "spec.coverage.missing", "spec.coverage.missing[0]: Too long: may not be more than 160"},
		{
			"events that do not add up", map[string]any{"heard": int64(5), "attributed": int64(3), "others": int64(1), "daemons": int64(0), "unresolved": int64(0)},
			"spec.coverage.events", "heard must be the sum of the other fields",
		},
		{"workload without a kind", map[string]any{"name": "web"}, "spec.workloadRef", "spec.workloadRef.kind: Required value"},
		{"an unknown field", "x", "spec.mood", `unknown field "spec.mood"`},
	})
	rejects(t, f, func(ns string) client.Object { return failedCertificate(ns) }, []bad{
		{"errno as a number", "2", "spec.failure.errno", "spec.failure.errno in body should match"},
		{"signal without its prefix", "KILL", "spec.failure.signal", "spec.failure.signal in body should match"},
		{"message too long", strings.Repeat("x", 513), "spec.failure.message", "spec.failure.message: Too long: may not be more than 512"},
	})
}

func rejects(t *testing.T, f *fixture, build func(namespace string) client.Object, cases []bad) {
	t.Helper()
	namespace, admin := f.namespace(t), f.admin(t)
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			object := loose(t, build(namespace))
			set(t, object, tt.value, strings.Split(tt.path, ".")...)
			wantError(t, admin.Create(t.Context(), object, strictly), tt.want)
		})
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("accepted, want an error with %q", want)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q does not contain %q", err, want)
	}
}

func TestTestimonyIsImmutableWhereItHasTo(t *testing.T) {
	f := cluster(t)
	later := micro(time.Now().Add(time.Minute)).UTC().Format(metav1.RFC3339Micro)
	ended := func(ns string) client.Object { return fullWhisper(ns) }
	active := func(ns string) client.Object { return minimalWhisper(ns) }
	complete := func(ns string) client.Object { return fullCertificate(ns) }
	incomplete := func(ns string) client.Object { return minimalCertificate(ns) }
	const identity = "podRef, nodeName, containerName, reason and startTime are immutable"
	tests := []struct {
		name  string
		build func(string) client.Object
		value any
		path  string
		want  string // "" where the change is allowed
	}{
		{"an active whisper goes on", active, later, "spec.lastSeenTime", ""},
		{"an active whisper counts on", active, int64(98), "spec.kernelTruth.throttledPeriods", ""},
		{"an active whisper ends", active, later, "spec.endTime", ""},
		{"a whisper moves to another pod", active, "other", "spec.podRef.name", identity},
		{"a whisper moves to another node", active, "node2", "spec.nodeName", identity},
		{"a whisper moves to another container", active, "sidecar", "spec.containerName", identity},
		{"a whisper starts later", active, later, "spec.startTime", identity},
		{"an end moves", ended, later, "spec.endTime", "of an episode that has ended only change may still be written"},
		{"an end is taken back", ended, nil, "spec.endTime", "of an episode that has ended only change may still be written"},
		{"an ended whisper counts on", ended, int64(98), "spec.kernelTruth.throttledPeriods", "of an episode that has ended only change may still be written"},
		{"a change after the end is told", ended, map[string]any{"time": later, "fromMillicores": int64(100), "toMillicores": int64(200)}, "spec.change", ""},
		{"the evidence of an ended whisper changes", ended, []any{}, "spec.evidence", "of an episode that has ended only change may still be written"},
		{"what an ended whisper lacks changes", ended, []any{"nothing"}, "spec.missing", "of an episode that has ended only change may still be written"},
		{"why an ended whisper has no bursts changes", ended, "CPUBudget", "spec.burstsMissing", "of an episode that has ended only change may still be written"},
		{"an incomplete certificate is completed", incomplete, true, "spec.complete", ""},
		{"a complete certificate changes", complete, int64(1), "spec.kernelStats.totalSyscalls", "spec is immutable once complete is true"},
		{"a complete certificate becomes incomplete", complete, false, "spec.complete", "spec is immutable once complete is true"},
		{"a certificate moves to another pod", incomplete, "other", "spec.podRef.uid", "podRef and nodeName are immutable"},
		{"a certificate moves to another node", incomplete, "node2", "spec.nodeName", "podRef and nodeName are immutable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			admin := f.admin(t)
			object := loose(t, tt.build(f.namespace(t)))
			if err := admin.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			change := map[string]any{}
			if err := unstructured.SetNestedField(change, tt.value, strings.Split(tt.path, ".")...); err != nil {
				t.Fatal(err)
			}
			err := admin.Patch(t.Context(), object, client.RawPatch(types.MergePatchType, mustJSON(t, change)))
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			wantError(t, err, tt.want)
		})
	}
}

// A status that breaks its own schema is refused too: verdicts are bounded.
func TestBadStatusIsRejected(t *testing.T) {
	f := cluster(t)
	admin := f.admin(t)
	w := fullWhisper(f.namespace(t))
	if err := admin.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w = judgedWhisper(t, admin, client.ObjectKeyFromObject(w))
	for name, tt := range map[string]struct {
		change func(*v1alpha1.KernelWhisperStatus)
		want   string
	}{
		"unknown severity": {func(s *v1alpha1.KernelWhisperStatus) { s.Severity = "Fatal" }, `supported values: "Critical", "Warning", "Info"`},
		"unknown cause":    {func(s *v1alpha1.KernelWhisperStatus) { s.Cause = "Gremlins" }, "status.cause: Unsupported value"},
		"long insight":     {func(s *v1alpha1.KernelWhisperStatus) { s.Insight = strings.Repeat("x", 513) }, "status.insight: Too long: may not be more than 512"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := w.DeepCopy()
			tt.change(&broken.Status)
			wantError(t, admin.Status().Update(t.Context(), broken), tt.want)
		})
	}
}
