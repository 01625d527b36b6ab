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
		message: "127.0.0.1:5999/x:1", attempts: 2, insight: []string{"container app", "image", "pull", "keeps trying", "attempts have failed"},
	}
	wantSetbacks(t, s.fails(pod, want), "ImagePull", "ErrImagePull")
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

// TestSubPathsThatCannotBeMounted want of a volume what it does not have. Of the path
// through a file and of the one that leads out the kernel would have told, had the
// kubelet asked it: it looks for itself.
func TestSubPathsThatCannotBeMounted(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	within := func(source corev1.VolumeSource, path, expr, up string) change {
		return func(p *corev1.Pod) {
			volume("/within", source)(p)
			c := &p.Spec.Containers[0]
			c.VolumeMounts[0].SubPath, c.VolumeMounts[0].SubPathExpr = path, expr
			if up != "" {
				c.Env = []corev1.EnvVar{{Name: "UP", Value: up}}
			}
		}
	}
	empty := corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	for _, c := range []struct {
		name, message, insight string
		change                 change
	}{
		{"through-a-file", "failed to prepare subPath for volumeMount", "subPath of a volume", within(
			corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}, "passwd/deeper", "", "")},
		{"leading-out", "must not contain '..'", "subPath of a volume", within(empty, "", "$(UP)", "../../x")},
		{"of-no-variable", "missing value for UP", "subPathExpr of a volume", within(empty, "", "$(UP)", "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, f)
			pod := s.create(c.name, shell(idles), c.change)
			want := ending{
				step: "VolumeMount", actor: v1alpha1.ActorKubelet, container: app, reason: "CreateContainerConfigError",
				message: c.message, attempts: 2, insight: []string{"container app", c.insight, c.message, "keeps trying"},
			}
			wantSetbacks(t, s.fails(pod, want), "VolumeMount", "CreateContainerConfigError")
			s.ends(pod, want)
		})
	}
}

// wantSetbacks fails unless all failed attempts of a certificate are of the pod's
// container at one step, and have a time.
func wantSetbacks(t *testing.T, c *v1alpha1.PodBirthCertificate, step, reason string) {
	t.Helper()
	if n := len(c.Spec.Attempts); n != 1 || !c.Spec.UnderWay && c.Spec.Outcome != v1alpha1.OutcomeReady {
		t.Fatalf("certificate %s: under way %v, attempts at %d steps: %+v", c.Name, c.Spec.UnderWay, n, c.Spec.Attempts)
	}
	if a := c.Spec.Attempts[0]; a.Step != step || a.Container != app || a.Reason != reason || a.Failed != c.Spec.FailedAttempts || a.LastFailed == nil {
		t.Errorf("certificate %s: of %d failed attempts %+v", c.Name, c.Spec.FailedAttempts, a)
	}
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
		message: "no-such-runtime", attempts: 1, insight: []string{"sandbox", "no-such-runtime"},
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
