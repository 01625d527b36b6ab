// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// gossip runs the client as a user of a namespace.
type gossip struct {
	t               *testing.T
	f               *fixture
	program         string
	namespace, user string
}

func buildGossip(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "kubectl-gossip")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/kernel-gossip/kernel-gossip/cmd/kubectl-gossip")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return program
}

// run returns what was written and, of a command that failed, its one line.
func (g gossip) run(args ...string) (out, failure string) {
	g.t.Helper()
	args = append(args, "--kubeconfig="+g.f.kubeconfig, "-n", g.namespace, "--as="+g.user, "--as-group=system:authenticated")
	command := exec.CommandContext(g.t.Context(), g.program, args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		failure = strings.TrimSpace(stderr.String())
		if failure == "" || strings.Contains(failure, "\n") {
			g.t.Errorf("%v: not one line: %q", args, failure)
		}
	}
	return stdout.String(), failure
}

// limited is a pod of a Deployment with a limit of 100m, which is what the
// whisper of minimalWhisper was heard at.
func limited(t *testing.T, c client.Client, namespace, request string) *corev1.Pod {
	t.Helper()
	labels := map[string]string{"app": "burner"}
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "burner", Resources: corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Mi")},
		Requests: corev1.ResourceList{"cpu": resource.MustParse(request), "memory": resource.MustParse("64Mi")},
	}}}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "burner"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	create(t, c, d)
	s := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "burner-6d5f8", OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))}},
		Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	create(t, c, s)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "burner", OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(s, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}}, Spec: spec}
	p.Spec.NodeName = "apply-node"
	create(t, c, p)
	return p
}

func mayApply(t *testing.T, c client.Client, namespace, user string) {
	t.Helper()
	create(t, c, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "apply"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "kernel-gossip-apply"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}})
}

func cpuOf(t *testing.T, c client.Client, pod *corev1.Pod) string {
	t.Helper()
	now := &corev1.Pod{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(pod), now); err != nil {
		t.Fatal(err)
	}
	r := now.Spec.Containers[0].Resources
	return fmt.Sprintf("%s/%s", r.Requests.Cpu(), r.Limits.Cpu())
}

func TestApply(t *testing.T) {
	f := cluster(t)
	// The API server refuses a resize beyond what the node has.
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "apply-node"}}
	create(t, f.admin(t), node)
	node.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi"), "pods": resource.MustParse("10")}
	node.Status.Capacity = node.Status.Allocatable
	if err := f.admin(t).Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	program := buildGossip(t)
	t.Run("as proposed or not at all", func(t *testing.T) { applyOnce(t, f, program) })
	t.Run("the class of a Guaranteed pod", func(t *testing.T) { applyGuaranteed(t, f, program) })
}

func applyOnce(t *testing.T, f *fixture, program string) {
	admin, namespace := f.admin(t), f.namespace(t)
	const user = "somebody-who-may-apply"
	pod := limited(t, admin, namespace, "50m")
	w := minimalWhisper(namespace)
	w.Spec.PodRef.UID, w.Spec.NodeName = string(pod.UID), pod.Spec.NodeName
	create(t, admin, w)
	g := gossip{t, f, program, namespace, user}

	if out, failure := g.run("apply", "burner", "--limit=750m", "--yes"); !strings.Contains(failure, "forbidden") {
		t.Errorf("without any right: %s %s", out, failure)
	}
	mayApply(t, admin, namespace, user)
	out, failure := g.run("apply", "burner", "--limit=750m", "--dry-run=server")
	for _, says := range []string{"100m → 750m", "50m, stays", "Burstable, which stays", "ReplicaSet burner-6d5f8, of Deployment burner",
		"kubectl set resources deployment/burner -n " + namespace + " -c app --limits=cpu=750m", "It was not made"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), says) {
			t.Errorf("dry run does not say %q: %s %s", says, out, failure)
		}
	}
	if got := cpuOf(t, admin, pod); got != "50m/100m" {
		t.Errorf("a dry run has changed the pod: %s", got)
	}
	if out, failure = g.run("apply", w.Name, "--limit=750m", "--yes", "--wait=false"); failure != "" || !strings.Contains(out, "To take it back: kubectl patch pod burner") {
		t.Errorf("%s %s", out, failure)
	}
	if got := cpuOf(t, admin, pod); got != "50m/750m" {
		t.Errorf("after apply: %s", got)
	}
	if _, failure = g.run("apply", w.Name, "--limit=500m", "--yes", "--wait=false"); !strings.Contains(failure, "heard at a limit of 100m, and container app has 750m now") {
		t.Errorf("a stale whisper: %s", failure)
	}
	if _, failure = g.run("apply", w.Name, "--limit=750m", "--yes", "--wait=false"); !strings.Contains(failure, "already has a limit of 750m") {
		t.Errorf("the same again: %s", failure)
	}
}

// What the API refuses is said before anything is asked, and the class of a
// Guaranteed pod is kept.
func applyGuaranteed(t *testing.T, f *fixture, program string) {
	admin, namespace := f.admin(t), f.namespace(t)
	pod := limited(t, admin, namespace, "100m")
	w := minimalWhisper(namespace)
	w.Spec.PodRef.UID, w.Spec.NodeName = string(pod.UID), pod.Spec.NodeName
	create(t, admin, w)
	g := gossip{t, f, program, namespace, "admin"}
	create(t, admin, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "admin"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "admin"}}})

	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "small"}, Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{"limits.cpu": resource.MustParse("200m")}}}
	create(t, admin, quota)
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, corev1.ResourceList{"limits.cpu": resource.MustParse("100m")} // no controller does it here
	if err := admin.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	if out, failure := g.run("apply", "burner", "--limit=300m", "--yes", "--wait=false"); !strings.Contains(failure, "exceeded quota") || out != "" {
		t.Errorf("beyond the quota: %s %s", out, failure)
	}
	out, failure := g.run("apply", "burner", "--limit=150m", "--yes", "--wait=false")
	if failure != "" || !strings.Contains(out, "because the pod is Guaranteed") {
		t.Errorf("%s %s", out, failure)
	}
	if got := cpuOf(t, admin, pod); got != "150m/150m" {
		t.Errorf("after apply: %s", got)
	}
}
