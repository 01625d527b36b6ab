// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func ptr[T any](v T) *T { return &v }

// resources of a container; an empty text is none.
func resources(limit, request string) corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{Limits: corev1.ResourceList{}, Requests: corev1.ResourceList{}}
	if limit != "" {
		r.Limits[corev1.ResourceCPU] = resource.MustParse(limit)
	}
	if request != "" {
		r.Requests[corev1.ResourceCPU] = resource.MustParse(request)
	}
	return r
}

func somePod(limit, request string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Name, p.Namespace, p.UID, p.ResourceVersion = "web-1", "shop", "uid-1", "7"
	p.Spec.NodeName = "node1"
	p.Spec.Containers = []corev1.Container{{Name: "log"}, {Name: "app", Resources: resources(limit, request)}}
	p.Status.QOSClass, p.Status.Phase = corev1.PodQOSBurstable, corev1.PodRunning
	return p
}

func someWhisper() *v1alpha1.KernelWhisper {
	w := &v1alpha1.KernelWhisper{}
	w.Name, w.Namespace, w.Status.ObservedGeneration = "web-1-app-1", "shop", 1
	w.Spec.PodRef.Name, w.Spec.PodRef.UID, w.Spec.ContainerName = "web-1", "uid-1", "app"
	w.Spec.NodeName = "node1"
	point := func(limit int64) v1alpha1.Predicted {
		return v1alpha1.Predicted{LimitMillicores: limit, ThrottledPercent: "1.0", ThrottledPercentLow: "0.0", ThrottledPercentHigh: "2.0"}
	}
	w.Spec.Bursts = &v1alpha1.Bursts{}
	w.Spec.Counterfactual = &v1alpha1.Counterfactual{Curve: []v1alpha1.Predicted{point(200), point(500), point(800)}}
	w.Status.Proposal = &v1alpha1.Proposal{
		ContainerName: "app", CurrentLimitMillicores: 200, LimitMillicores: ptr(int64(500)), CurrentRequestMillicores: 100, Predicted: ptr(point(500)),
		Target: v1alpha1.Target{ThrottledPercent: "5.0", StallP99Microseconds: 5000},
	}
	return w
}

func TestPlan(t *testing.T) {
	for name, tt := range map[string]struct {
		pod           *corev1.Pod
		limit         int64
		edit          func(*corev1.Pod, *v1alpha1.KernelWhisper)
		limitTo, reqs int64
		patch         string
	}{
		"proposal":      {pod: somePod("200m", "100m"), limitTo: 500, reqs: 100, patch: `[{"name":"app","resources":{"limits":{"cpu":"500m"}}}]`},
		"own limit":     {pod: somePod("200m", "100m"), limit: 750, limitTo: 750, reqs: 100},
		"down to less":  {pod: somePod("200m", "100m"), limit: 50, limitTo: 50, reqs: 50, patch: `"limits":{"cpu":"50m"},"requests":{"cpu":"50m"}`},
		"guaranteed":    {pod: somePod("200m", "200m"), edit: guaranteed, limitTo: 500, reqs: 500, patch: `"requests":{"cpu":"500m"}`},
		"request alone": {pod: somePod("", "100m"), edit: contention, limitTo: 0, reqs: 600, patch: `[{"name":"app","resources":{"requests":{"cpu":"600m"}}}]`},
		"request capped": {pod: somePod("300m", "100m"), edit: func(p *corev1.Pod, w *v1alpha1.KernelWhisper) {
			contention(p, w)
			w.Status.Proposal.CurrentLimitMillicores = 300
		}, limitTo: 300, reqs: 300},
		"guaranteed request": {pod: somePod("300m", "300m"), edit: func(p *corev1.Pod, w *v1alpha1.KernelWhisper) {
			contention(p, w)
			guaranteed(p, w)
			w.Status.Proposal.CurrentLimitMillicores = 300
		}, limitTo: 600, reqs: 600},
		"sidecar": {pod: somePod("1", "1"), edit: sidecar, limitTo: 500, reqs: 100, patch: `{"initContainers":[{"name":"app"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := someWhisper()
			if tt.edit != nil {
				tt.edit(tt.pod, w)
			}
			c, err := plan(tt.pod, w, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if c.limitTo != tt.limitTo || c.requestTo != tt.reqs {
				t.Errorf("limit %d, request %d: want %d, %d", c.limitTo, c.requestTo, tt.limitTo, tt.reqs)
			}
			patch, err := c.patch()
			if err != nil || !strings.Contains(string(patch), tt.patch) || !strings.Contains(string(patch), `"metadata":{"resourceVersion":"7","uid":"uid-1"}`) {
				t.Errorf("patch %s: %v", patch, err)
			}
		})
	}
}

func guaranteed(p *corev1.Pod, _ *v1alpha1.KernelWhisper) {
	p.Status.QOSClass = corev1.PodQOSGuaranteed
}

func contention(_ *corev1.Pod, w *v1alpha1.KernelWhisper) {
	w.Status.Proposal.CurrentLimitMillicores, w.Status.Proposal.LimitMillicores, w.Status.Proposal.RequestMillicores = 0, nil, ptr(int64(600))
}

func sidecar(p *corev1.Pod, _ *v1alpha1.KernelWhisper) {
	p.Spec.Containers = p.Spec.Containers[:1]
	p.Spec.InitContainers = []corev1.Container{{Name: "app", RestartPolicy: ptr(corev1.ContainerRestartPolicyAlways), Resources: resources("200m", "100m")}}
}

func TestPlanRefuses(t *testing.T) {
	type edit = func(*corev1.Pod, *v1alpha1.KernelWhisper)
	for name, tt := range map[string]struct {
		edit edit
		says string
	}{
		"another pod": {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) { p.UID = "uid-2" }, "about an earlier pod web-1"},
		"another node": {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) { w.Spec.NodeName = "node2" },
			"is of node node2, and pod web-1 runs on node node1"},
		"stale": {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) {
			p.Spec.Containers[1].Resources = resources("300m", "100m")
		}, "heard at a limit of 200m, and container app has 300m now"},
		"limit is gone": {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) { p.Spec.Containers[1].Resources = resources("", "100m") }, "has none now"},
		"done": {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) {
			p.Spec.Containers[1].Resources = resources("500m", "100m")
		}, "already has a limit of 500m and a request of 100m"},
		"a burst alone": {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) { w.Status.Proposal.LimitMillicores = nil }, "Kubernetes has no field"},
		"no container":  {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) { p.Spec.Containers = p.Spec.Containers[:1] }, "no container app"},
		"init container": {func(p *corev1.Pod, w *v1alpha1.KernelWhisper) {
			sidecar(p, w)
			p.Spec.InitContainers[0].RestartPolicy = nil
		}, "is an init container"},
		"static pod": {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		}, "change its manifest on node node1"},
		"going":      {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) { p.DeletionTimestamp = ptr(metav1.Now()) }, "is being deleted"},
		"over":       {func(p *corev1.Pod, _ *v1alpha1.KernelWhisper) { p.Status.Phase = corev1.PodSucceeded }, "is over (Succeeded)"},
		"unjudged":   {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) { w.Status = v1alpha1.KernelWhisperStatus{} }, "was not judged yet"},
		"unrecorded": {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) { w.Status.Proposal, w.Spec.Bursts = nil, nil }, "try again in some seconds"},
		"never recorded": {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) {
			w.Status.Proposal, w.Spec.Bursts, w.Spec.EndTime = nil, nil, &metav1.MicroTime{}
		}, "it ended before its bursts were recorded"},
		"ancestor": {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) {
			w.Status.Proposal, w.Status.Cause = nil, v1alpha1.CauseAncestorLimit
		}, "a limit above the pod stopped it"},
		"other cause": {func(_ *corev1.Pod, w *v1alpha1.KernelWhisper) {
			w.Status.Proposal, w.Status.Recommendation = nil, "Use less threads."
		}, "Use less threads.; --limit sets"},
	} {
		t.Run(name, func(t *testing.T) {
			p, w := somePod("200m", "100m"), someWhisper()
			tt.edit(p, w)
			if c, err := plan(p, w, 0); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%+v: %v, want %q", c, err, tt.says)
			}
		})
	}
}

// A limit of one's own needs no proposal, but the whisper has to be of the present limit all the same.
func TestOwnLimitWithoutProposal(t *testing.T) {
	p, w := somePod("200m", "100m"), someWhisper()
	w.Status.Proposal, w.Spec.Counterfactual = nil, nil
	w.Spec.KernelTruth = v1alpha1.KernelTruth{ThrottledAt: v1alpha1.ThrottledAtContainer, QuotaMicroseconds: 20000, PeriodMicroseconds: 100000}
	if c, err := plan(p, w, 300); err != nil || c.limitTo != 300 {
		t.Errorf("%+v: %v", c, err)
	}
	w.Spec.KernelTruth.QuotaMicroseconds = 10000
	if _, err := plan(p, w, 300); err == nil || !strings.Contains(err.Error(), "out of date") {
		t.Error(err)
	}
}

func TestUndo(t *testing.T) {
	c := change{container: "app", limitFrom: 200, limitTo: 500, requestFrom: 100, requestTo: 100}
	if got := string(c.undo()); got != `{"spec":{"containers":[{"name":"app","resources":{"limits":{"cpu":"200m"}}}]}}` {
		t.Error(got)
	}
	c.limitFrom = 0
	if got := c.undo(); got != nil {
		t.Errorf("a limit cannot be removed in place: %s", got)
	}
}

func TestParseLimit(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "750m": 750, "1.5": 1500, "2": 2000, "0.1m": 1, "0": -1, "-1": -1, "x": -1, "1e30": -1, "\x1b[31m": -1} {
		got, err := parseLimit(in)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
}

func TestPredicted(t *testing.T) {
	w := someWhisper()
	for limit, want := range map[int64]int{500: 1, 600: 2, 200: 1, 100: 0, 900: 0} {
		got, why := predicted(w, limit)
		if len(got) != want || (want == 0) != (why != "") {
			t.Errorf("%dm: %v %q", limit, got, why)
		}
		if want == 2 && (got[0].LimitMillicores != 500 || got[1].LimitMillicores != 800) {
			t.Errorf("%dm: %v", limit, got)
		}
	}
	w.Spec.Counterfactual = nil
	if got, why := predicted(w, 600); got != nil || why == "" {
		t.Error(got, why)
	}
	if got, _ := predicted(w, 500); len(got) != 1 {
		t.Error("the proposal has its prediction")
	}
}

func TestTemplate(t *testing.T) {
	c := &change{container: "app", limitFrom: 200, limitTo: 500, requestFrom: 100, requestTo: 500}
	for name, tt := range map[string]struct {
		owners  []owner
		says    string
		command string
	}{
		"none":       {nil, "Nothing makes it anew", ""},
		"deployment": {[]owner{{"ReplicaSet", "apps", "web-6d"}, {"Deployment", "apps", "web"}}, "the template of ReplicaSet web-6d, of Deployment web: ", "kubectl set resources deployment/web -n shop -c app --limits=cpu=500m --requests=cpu=500m"},
		"stateful":   {[]owner{{"StatefulSet", "apps", "db"}}, "StatefulSet db", "kubectl set resources statefulset/db -n shop -c app --limits=cpu=500m --requests=cpu=500m"},
		"job":        {[]owner{{"Job", "batch", "once"}}, "a Job's template cannot be changed", ""},
		"cron":       {[]owner{{"Job", "batch", "tick-1"}, {"CronJob", "batch", "tick"}}, "CronJob tick", "kubectl set resources cronjob/tick -n shop -c app --limits=cpu=500m --requests=cpu=500m"},
		"rollout":    {[]owner{{"ReplicaSet", "apps", "web-6d"}, {"Rollout", "argoproj.io", "web"}}, "Change it as that kind is changed", ""},
	} {
		says, commands := template("shop", tt.owners, nil, c)
		if !strings.Contains(strings.ToLower(says), strings.ToLower(tt.says)) || strings.Join(commands, "\n") != tt.command {
			t.Errorf("%s: %s %q", name, says, commands)
		}
	}
}
