// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// ward is a cluster made up for the doctor.
type ward struct {
	nodes   []corev1.Node
	pods    []corev1.Pod
	reports map[string]http.HandlerFunc // by the pod's name
	absent  []string                    // paths that are not there
	refused []string                    // paths that the caller may not read
	asked   atomic.Int64
	// atOnce is how many observers were asked at a time, at most.
	underWay, atOnce atomic.Int64
}

// node adds a node with an observer that answers with this.
func (w *ward) node(name string, answer http.HandlerFunc) {
	n := corev1.Node{}
	n.Name, n.Status.NodeInfo = name, corev1.NodeSystemInfo{
		KernelVersion: "6.12.1", Architecture: "amd64", OperatingSystem: "linux", ContainerRuntimeVersion: "containerd://2.3.7",
	}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	w.nodes = append(w.nodes, n)
	if answer == nil {
		return
	}
	p := corev1.Pod{}
	p.Name, p.Namespace, p.Spec.NodeName, p.Status.Phase = "observer-"+name, installation, name, corev1.PodRunning
	p.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9464}}}}
	w.pods = append(w.pods, p)
	if w.reports == nil {
		w.reports = map[string]http.HandlerFunc{}
	}
	w.reports["http:"+p.Name+":9464"] = answer
}

// reporting answers with the report of a node from which something was taken.
func reporting(t *testing.T, name string, without ...string) http.HandlerFunc {
	t.Helper()
	taken, err := hooks.ParseWithout(without)
	if err != nil {
		t.Fatal(err)
	}
	r := &doctor.Report{Node: name, Without: without, Hooks: hooks.Choose(hooks.Offer{}, taken)}
	r.Kernel = doctor.Kernel{Release: "6.12.1", Architecture: "amd64"}
	r.Cgroup = doctor.Cgroup{Layout: doctor.V2, CPU: doctor.V2}
	r.Diagnose()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(raw) }
}

// status answers as an API server that could not.
func status(code int, reason metav1.StatusReason, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message,
		})
	}
}

func (w *ward) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	path := in.URL.Path
	for _, p := range w.absent {
		if strings.HasPrefix(path, p) {
			status(http.StatusNotFound, metav1.StatusReasonNotFound, "not found")(out, in)
			return
		}
	}
	for _, p := range w.refused {
		if path == p {
			status(http.StatusForbidden, metav1.StatusReasonForbidden, "you may not")(out, in)
			return
		}
	}
	pods := "/api/v1/namespaces/" + installation + "/pods"
	if name, ok := strings.CutPrefix(path, pods+"/"); ok {
		now := w.underWay.Add(1)
		defer w.underWay.Add(-1)
		w.asked.Add(1)
		for at := w.atOnce.Load(); now > at && !w.atOnce.CompareAndSwap(at, now); at = w.atOnce.Load() {
		}
		if answer := w.reports[strings.TrimSuffix(name, "/proxy/doctor")]; answer != nil {
			answer(out, in)
			return
		}
		http.NotFound(out, in)
		return
	}
	out.Header().Set("Content-Type", "application/json")
	if answer := w.answer(path, pods, in); answer != nil {
		_ = json.NewEncoder(out).Encode(answer)
		return
	}
	http.NotFound(out, in)
}

func (w *ward) answer(path, pods string, in *http.Request) any {
	apps := "/apis/apps/v1/namespaces/" + installation
	admission := "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
	n := int32(len(w.pods))
	switch path {
	case "/version":
		return version.Info{Major: "1", Minor: "37"}
	case "/api/v1/nodes":
		return corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}, Items: w.nodes}
	case pods:
		return corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: w.pods}
	case "/apis/" + v1alpha1.GroupVersion.String():
		return metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: v1alpha1.GroupVersion.String(),
			APIResources: []metav1.APIResource{{Name: "podbirthcertificates"}, {Name: "kernelwhispers"}}}
	case "/apis/metrics.k8s.io/v1beta1":
		return metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: "metrics.k8s.io/v1beta1"}
	case apps + "/daemonsets/kernel-observer":
		return appsv1.DaemonSet{TypeMeta: metav1.TypeMeta{Kind: "DaemonSet", APIVersion: "apps/v1"}, Status: appsv1.DaemonSetStatus{
			NumberReady: n, DesiredNumberScheduled: n, UpdatedNumberScheduled: n}}
	case apps + "/deployments/operator":
		return appsv1.Deployment{TypeMeta: metav1.TypeMeta{Kind: "Deployment", APIVersion: "apps/v1"}, Status: appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1}}
	case admission + "ies/kernel-gossip-observer-own-node":
		return metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "ValidatingAdmissionPolicy", APIVersion: "admissionregistration.k8s.io/v1"}}
	case admission + "ybindings/kernel-gossip-observer-own-node":
		return metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: "ValidatingAdmissionPolicyBinding", APIVersion: "admissionregistration.k8s.io/v1"}}
	case "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
		return authorizationv1.SelfSubjectAccessReview{TypeMeta: metav1.TypeMeta{Kind: "SelfSubjectAccessReview", APIVersion: "authorization.k8s.io/v1"},
			Status: authorizationv1.SubjectAccessReviewStatus{Allowed: len(w.refused) == 0}}
	}
	_ = in
	return nil
}

// run lets the doctor see the ward.
func (w *ward) run(t *testing.T, args string) (code int, out, errs string) {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: %q}}],
		contexts: [{name: x, context: {cluster: c}}], current-context: x}`, server.URL)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &stdout, ErrOut: &stderr}
	code = execute(t.Context(), append(strings.Fields("doctor "+args), "--kubeconfig="+file), streams)
	return code, stdout.String(), stderr.String()
}

func TestDoctor(t *testing.T) {
	const dial = "error trying to reach service: dial tcp 10.1.2.3:9464: connect: connection refused"
	for name, tt := range map[string]struct {
		ward func(w *ward)
		args string
		code int
		says []string // in this order
	}{
		"well": {func(w *ward) { w.node("a", reporting(t, "a")); w.node("b", reporting(t, "b")) }, "", 0,
			[]string{"of 2 nodes: 2 Full", "resources    OK", "observers    OK     2 of 2 are ready", "nodes        OK", "admission    OK", "metrics      OK", "your rights  OK", "a     Full", "b     Full"}},
		"degraded": {func(w *ward) { w.node("a", reporting(t, "a", "test_run")); w.node("b", reporting(t, "b")) }, "", doctor.ExitDegraded,
			[]string{"1 Full, 1 Degraded", "a     Degraded", "bandwidth, bursts"}},
		"floor":       {func(w *ward) { w.node("a", reporting(t, "a", "bpf")) }, "", doctor.ExitFloor, []string{"1 Floor"}},
		"no observer": {func(w *ward) { w.node("a", reporting(t, "a")); w.node("b", nil) }, "", exitFailure, []string{"1 of 2 with Linux have no observer: b", "no observer runs on it"}},
		"unreachable": {func(w *ward) { w.node("a", status(http.StatusServiceUnavailable, "ServiceUnavailable", dial)) }, "", exitFailure, []string{"its observer cannot be asked: error trying to reach service: connect: connection refused"}},
		"stands by": {func(w *ward) {
			w.node("a", func(out http.ResponseWriter, _ *http.Request) {
				http.Error(out, doctor.StandsBy, http.StatusServiceUnavailable)
			})
		}, "", exitFailure, []string{"its observer stands by: another observer writes for this node"}},
		"too old":     {func(w *ward) { w.node("a", http.NotFound) }, "", exitFailure, []string{"older than this program"}},
		"gone":        {func(w *ward) { w.node("a", status(404, metav1.StatusReasonNotFound, `pods "observer-a" not found`)) }, "", exitFailure, []string{"gone meanwhile"}},
		"not allowed": {func(w *ward) { w.node("a", status(403, metav1.StatusReasonForbidden, "no")) }, "", exitFailure, []string{"get pods/proxy"}},
		"no report": {func(w *ward) {
			w.node("a", func(o http.ResponseWriter, _ *http.Request) { _, _ = o.Write([]byte("ok")) })
		}, "", exitFailure, []string{"answer is no report"}},
		"newer report": {func(w *ward) {
			w.node("a", func(o http.ResponseWriter, _ *http.Request) { _, _ = o.Write([]byte(`{"apiVersion":"v9"}`)) })
		}, "", exitFailure, []string{`version "v9"`}},
		"crashing": {func(w *ward) {
			w.node("a", http.NotFound)
			w.pods[0].Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 4, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}}
		}, "", exitFailure, []string{"its observer does not run: CrashLoopBackOff (restarted 4 times)"}},
		"not Ready": {func(w *ward) { w.node("a", reporting(t, "a")); w.nodes[0].Status.Conditions = nil }, "", exitFailure, []string{"the node is not Ready"}},
		"being replaced": {func(w *ward) {
			w.node("a", reporting(t, "a"))
			old := w.pods[0].DeepCopy()
			now := metav1.Now()
			old.Name, old.DeletionTimestamp = "observer-old", &now
			w.pods = append(w.pods, *old)
		}, "", 0, []string{"1 Full"}},
		"another system": {func(w *ward) {
			w.node("a", reporting(t, "a"))
			w.node("win", nil)
			w.nodes[1].Status.NodeInfo.OperatingSystem = "windows"
		}, "", 0, []string{"of 1 node: 1 Full"}},
		"not installed": {func(w *ward) {
			w.node("a", nil)
			w.absent = []string{"/apis/kernel-gossip.io", "/apis/apps", "/apis/admissionregistration", "/apis/metrics"}
		}, "", exitFailure, []string{"resources", "Failed", "there is no DaemonSet kernel-observer in namespace kernel-gossip", "there is no Deployment operator", "admission    Note", "metrics      Note", "kubectl apply -f k8s/"}},
		"few rights": {func(w *ward) {
			w.node("a", reporting(t, "a"))
			w.refused = []string{"/api/v1/nodes", "/apis/apps/v1/namespaces/kernel-gossip/daemonsets/kernel-observer"}
		}, "", 0, []string{"observers    Unknown", "nodes        Unknown", "your rights  Note", "you may not list nodes", "kubectl create clusterrolebinding", "a     Full"}},
		"one node":     {func(w *ward) { w.node("a", reporting(t, "a", "bursts")); w.node("b", nil) }, "a", doctor.ExitDegraded, []string{"verdict        Degraded", "node           a", "runtime        containerd://2.3.7 (the kubelet says)", "HOOK", "WHAT IS LOST", "WHAT WOULD MEND IT", "leave --without bursts out"}},
		"a bare node":  {func(w *ward) { w.node("a", nil) }, "a", exitFailure, []string{"verdict        No report: no observer runs on it", "node           a"}},
		"wide":         {func(w *ward) { w.node("a", reporting(t, "a")) }, "-o wide", 0, []string{"OBSERVER", "observer-a"}},
		"json":         {func(w *ward) { w.node("a", reporting(t, "a")) }, "-o json", 0, []string{`"apiVersion": "doctor.kernel-gossip.io/v1alpha1"`, `"kind": "ClusterReport"`, `"verdict": "Full"`, `"checks"`, `"nodes"`, `"report"`}},
		"yaml of one":  {func(w *ward) { w.node("a", reporting(t, "a")) }, "a -o yaml", 0, []string{"apiVersion: doctor.kernel-gossip.io/v1alpha1", "kind: ClusterReport"}},
		"no such node": {func(w *ward) { w.node("a", reporting(t, "a")) }, "b", exitFailure, []string{`no node "b"`}},
		"wrong format": {func(*ward) {}, "-o svg", exitUsage, []string{"use text, yaml, json or wide"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &ward{}
			tt.ward(w)
			code, out, errs := w.run(t, tt.args)
			if code != tt.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, out, errs)
			}
			rest := out + errs
			for _, says := range tt.says {
				_, after, ok := strings.Cut(rest, says)
				if !ok {
					t.Fatalf("does not say %q (after what came before):\n%s%s", says, out, errs)
				}
				rest = after
			}
		})
	}
}

// TestBigCluster asks the observers of 5,000 nodes, some of which take long.
func TestBigCluster(t *testing.T) {
	w := &ward{}
	answer := reporting(t, "n")
	for i := range 5000 {
		w.node(fmt.Sprintf("n%04d", i), func(out http.ResponseWriter, in *http.Request) {
			time.Sleep(2 * time.Millisecond) // so that several are under way
			answer(out, in)
		})
	}
	began := time.Now()
	code, out, errs := w.run(t, "")
	t.Logf("%d observers asked in %s, at most %d at once; said meanwhile: %q", w.asked.Load(), time.Since(began).Round(time.Millisecond), w.atOnce.Load(), errs)
	if code != 0 || w.asked.Load() != 5000 || w.atOnce.Load() > atOnce || w.atOnce.Load() < 2 || strings.Count(out, "\n") > 20 {
		t.Errorf("exit code %d, %d asked, %d at once:\n%s", code, w.asked.Load(), w.atOnce.Load(), out)
	}
}

// TestSilence gives up where no observer can be reached at all.
func TestSilence(t *testing.T) {
	w := &ward{}
	for i := range 200 {
		w.node(fmt.Sprintf("n%03d", i), status(http.StatusServiceUnavailable, "ServiceUnavailable", "dial tcp 10.0.0.1:9464: i/o timeout"))
	}
	code, out, _ := w.run(t, "-o wide")
	if code != exitFailure || w.asked.Load() >= 100 || !strings.Contains(out, "not asked: none of the first 32 observers answered") {
		t.Errorf("exit code %d, %d asked:\n%s", code, w.asked.Load(), out)
	}
}
