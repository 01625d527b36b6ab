// SPDX-License-Identifier: Apache-2.0

package pods

import (
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
)

func cpuOf(quantity string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(quantity)}}
}

func running(name, id string) corev1.ContainerStatus {
	yes := true
	return corev1.ContainerStatus{Name: name, ContainerID: "containerd://" + id, Ready: true, Started: &yes,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func TestConvert(t *testing.T) {
	always, yes := corev1.ContainerRestartPolicyAlways, true
	made := metav1.NewTime(time.Unix(1_700_000_000, 0))
	later := metav1.NewTime(made.Add(3 * time.Second))
	p := pod("shop", "web", "u1", "")
	p.CreationTimestamp = made
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-5", Controller: &yes}}
	p.Spec.InitContainers = []corev1.Container{{Name: "init"}, {Name: "mesh", RestartPolicy: &always}}
	p.Spec.Containers = []corev1.Container{{Name: "app", Resources: cpuOf("250m")}, {Name: "log", Resources: cpuOf("50m")}}
	p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}}}
	resized := running("log", "l1")
	asked := cpuOf("80m")
	resized.Resources = &asked
	app := corev1.ContainerStatus{Name: "app", ContainerID: "containerd://a2", RestartCount: 1,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 137, Signal: 9, Reason: "OOMKilled"}}}
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: made},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: later},
		},
		InitContainerStatuses:      []corev1.ContainerStatus{running("mesh", "m1")},
		ContainerStatuses:          []corev1.ContainerStatus{resized, app},
		EphemeralContainerStatuses: []corev1.ContainerStatus{{Name: "debug", ContainerID: "containerd://d1"}},
	}
	p.Annotations = map[string]string{v1alpha1.AnnotationObserve: "true", "last-applied": "x"}
	p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}}
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	p.Status.ContainerStatuses[0].State.Running.StartedAt = later
	p.Status.ContainerStatuses[1].LastTerminationState.Terminated.StartedAt = made
	got := Convert(p)
	keepsAll(t, p, got)
	if got.UID != "u1" || got.Namespace != "shop" || got.Name != "web" || got.Phase != "Running" || got.Deleted || got.OptedOut ||
		*got.Workload != (v1alpha1.WorkloadReference{Kind: "ReplicaSet", Name: "web-5"}) {
		t.Errorf("%+v", got)
	}
	if !got.Ready || !got.ReadySince.Equal(later.Time) || !got.Scheduled.Equal(made.Time) || !got.Created.Equal(made.Time) || !got.FirstStarted.Equal(made.Time) {
		t.Errorf("%+v", got)
	}
	if len(got.Containers) != 4 || len(got.Ephemeral) != 1 || got.Ephemeral[0] != "d1" {
		t.Fatalf("%+v", got)
	}
	first, mesh, one, two := got.Containers[0], got.Containers[1], got.Containers[2], got.Containers[3]
	if !first.Init || first.Sidecar || first.ID != "" || mesh.Init || !mesh.Sidecar || !mesh.Started || mesh.ID != "m1" {
		t.Errorf("%+v, %+v", first, mesh)
	}
	if one.Name != "app" || one.ID != "a2" || one.Runtime != "containerd" || one.Restarts != 1 || one.WaitingReason != "CrashLoopBackOff" ||
		one.Ended == nil || one.Ended.ExitCode != 137 || one.Ended.Reason != "OOMKilled" || *one.CPURequest != 250 {
		t.Errorf("%+v", one)
	}
	if two.ID != "l1" || !two.Running || !two.Ready || two.Ended != nil || *two.CPURequest != 80 {
		t.Errorf("%+v: what is in force is what the kubelet tells", two)
	}
}

// keepsAll: what is kept of a pod makes the same of it, and has nothing else in it.
func keepsAll(t *testing.T, p *corev1.Pod, want birth.Pod) {
	t.Helper()
	kept, err := keepOfBirth(p)
	if err != nil {
		t.Fatal(err)
	}
	k := kept.(*corev1.Pod)
	if got := Convert(k); !reflect.DeepEqual(got, want) {
		t.Errorf("of what is kept: %+v, want %+v", got, want)
	}
	if k.ResourceVersion != p.ResourceVersion || len(k.ManagedFields) > 0 || len(k.Annotations) > 1 || len(k.Spec.Containers[0].Env) > 0 {
		t.Errorf("kept %+v", k)
	}
	if again, _ := keepOfBirth(k); !reflect.DeepEqual(again, kept) {
		t.Error("what is kept is not kept")
	}
}

// A container that waited to be started again when its pod was deleted is not there: what
// its end before was like says more than that.
func TestAContainerThatTheKubeletDoesNotFind(t *testing.T) {
	unknown := &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "The container could not be located"}
	s := corev1.ContainerStatus{Name: "app", State: corev1.ContainerState{Terminated: unknown}}
	if got := container("app", s); got.Ended != nil {
		t.Errorf("%+v", got.Ended)
	}
	s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: "no such file"}
	if got := container("app", s); got.Ended == nil || got.Ended.Reason != "StartError" || got.Ended.Message != "no such file" {
		t.Errorf("%+v", got.Ended)
	}
	s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	if got := container("app", s); got.Ended != nil || got.Before == nil || got.Before.Reason != "StartError" {
		t.Errorf("while it runs again: %+v, before %+v", got.Ended, got.Before)
	}
	s.State = corev1.ContainerState{Terminated: unknown}
	s.LastTerminationState.Terminated = unknown
	if got := container("app", s); got.Ended != nil {
		t.Errorf("%+v", got.Ended)
	}
}

func TestConvertAStaticPod(t *testing.T) {
	mirror := pod("kube-system", "etcd-node1", "of-the-mirror", "")
	mirror.Annotations = map[string]string{mirrorAnnotation: "of-the-pod"}
	mirror.Spec.Containers = []corev1.Container{{Name: "etcd"}}
	keepsAll(t, mirror, Convert(mirror))
	if got := Convert(mirror); got.UID != "of-the-pod" || !got.Mirror {
		t.Errorf("%s", got.UID)
	}
}

func TestOnlyTheOptOutIsKeptOfANamespace(t *testing.T) {
	ns := namespace("shop", "false")
	ns.Annotations["other"], ns.Labels = "x", map[string]string{"a": "b"}
	kept, err := keepAnnotation(ns)
	if err != nil {
		t.Fatal(err)
	}
	if got := kept.(*corev1.Namespace); got.Name != "shop" || len(got.Annotations) != 1 || got.Annotations[v1alpha1.AnnotationObserve] != "false" || got.Labels != nil {
		t.Errorf("%+v", got)
	}
}
