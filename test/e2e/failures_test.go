// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Births that fail before the container's program is asked for.

// TestImageThatCannotBePulled names a registry that does not answer.
func TestImageThatCannotBePulled(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("unpulled", func(p *corev1.Pod) { p.Spec.Containers[0].Image = "127.0.0.1:5999/x:1" })
	want := ending{
		step: "ImagePull", actor: v1alpha1.ActorRuntime, container: app, reason: "ErrImagePull|ImagePullBackOff",
		message: "127.0.0.1:5999/x:1", insight: []string{"container app", "image", "pull"},
	}
	s.fails(pod, want)
	s.ends(pod, want)
}

// TestImageThatIsNotThere may not be pulled.
func TestImageThatIsNotThere(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("imageless", func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = "localhost/kernel-gossip/nothing:dev"
		p.Spec.Containers[0].ImagePullPolicy = corev1.PullNever
	})
	s.fails(pod, ending{
		step: "ImagePull", actor: v1alpha1.ActorKubelet, container: app, reason: "ErrImageNeverPull",
		message: "localhost/kernel-gossip/nothing:dev", insight: []string{"container app", "not on the node"},
	})
}

// TestConfigKeyThatIsMissing takes a variable from a config map that has no such key.
func TestConfigKeyThatIsMissing(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("unset", s.files("/files", map[string][]byte{"a": nil}), func(p *corev1.Pod) {
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "B", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: p.Spec.Volumes[0].ConfigMap.LocalObjectReference, Key: "b",
		}}}}
	})
	want := ending{
		step: "ContainerConfig", actor: v1alpha1.ActorKubelet, container: app, reason: "CreateContainerConfigError",
		message: "couldn't find key b", insight: []string{"container app", "couldn't find key b"},
	}
	s.fails(pod, want)
	s.ends(pod, want)
}

// TestVolumeThatIsMissing mounts a config map that does not exist: the kubelet
// waits for it and says so in an event only.
func TestVolumeThatIsMissing(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("mapless", volume("/files", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "nowhere"},
	}}))
	want := ending{
		step: "VolumeMount", actor: v1alpha1.ActorKubelet, reason: "FailedMount",
		message: `configmap "nowhere" not found`, insight: []string{"volume", `configmap "nowhere" not found`},
	}
	s.fails(pod, want)
	s.ends(pod, want)
}

// TestVolumeOfAnotherType wants a file where the node has a directory.
func TestVolumeOfAnotherType(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	file := corev1.HostPathFile
	pod := s.create("mistyped", volume("/file", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc", Type: &file}}))
	s.fails(pod, ending{
		step: "VolumeMount", actor: v1alpha1.ActorKubelet, reason: "FailedMount",
		message: "/etc is not a file", insight: []string{"volume", "/etc is not a file"},
	})
}

// TestMountThatDoesNotFit mounts a directory over a file of the image.
func TestMountThatDoesNotFit(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("misfit", shell(idles), volume("/bin/busybox", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}))
	s.fails(pod, ending{
		step: "ContainerCreate", actor: v1alpha1.ActorRuntime, container: app, errno: "ENOTDIR", reason: "StartError|RunContainerError|CrashLoopBackOff",
		message: "/bin/busybox", attempts: 1, insight: []string{"container app", "mount", "not a directory"},
	})
}

// TestSandboxOfAnUnknownRuntime asks for a runtime that the node does not have.
func TestSandboxOfAnUnknownRuntime(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	class := &nodev1.RuntimeClass{Handler: "no-such-runtime"}
	class.Name = s.namespace
	if err := f.client.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.remove(class) })
	pod := s.create("homeless", func(p *corev1.Pod) { p.Spec.RuntimeClassName = &class.Name })
	want := ending{
		step: "Sandbox", actor: v1alpha1.ActorRuntime, reason: "FailedCreatePodSandBox",
		message: "no-such-runtime", insight: []string{"sandbox", "no-such-runtime"},
	}
	s.fails(pod, want)
	s.ends(pod, want)
}

// TestSandboxWithABadSysctl has the runtime fail while it makes the sandbox.
func TestSandboxWithABadSysctl(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("ungrouped", func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{Sysctls: []corev1.Sysctl{{Name: "net.ipv4.ping_group_range", Value: "nobody"}}}
	})
	s.fails(pod, ending{
		step: "Sandbox", actor: v1alpha1.ActorRuntime, container: "", file: "runc", exitCode: code(1), errno: "EINVAL", reason: "FailedCreatePodSandBox",
		message: "ping_group_range", attempts: 1, insight: []string{"sandbox", "ping_group_range"},
	})
}
