// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const (
	nginxImage   = "localhost/kernel-gossip/nginx:dev"
	busyboxImage = "localhost/kernel-gossip/busybox:dev"
	// app is the name of the one container of the tests' pods.
	app = "app"
)

// scene is a namespace of the test's own, and all that happens in it.
type scene struct {
	t            *testing.T
	f            *fixture
	namespace    string
	pods         *tape[*corev1.Pod]
	certificates *tape[*v1alpha1.PodBirthCertificate]
	whispers     *tape[*v1alpha1.KernelWhisper]
}

func newScene(t *testing.T, f *fixture) *scene {
	t.Helper()
	return sceneIn(t, f, instancePrefix)
}

// ofATest is true for the namespace of a scene.
func ofATest(namespace string) bool { return strings.HasPrefix(namespace, instancePrefix) }

// sceneIn makes a namespace whose name begins so.
func sceneIn(t *testing.T, f *fixture, prefix string) *scene {
	t.Helper()
	ns := &corev1.Namespace{}
	ns.GenerateName = prefix
	if err := f.client.Create(t.Context(), ns); err != nil {
		t.Fatalf("make a namespace: %v", err)
	}
	t.Cleanup(func() {
		if err := f.client.Delete(context.Background(), ns); err != nil {
			t.Errorf("delete namespace %s: %v", ns.Name, err)
		}
	})
	return &scene{
		t: t, f: f, namespace: ns.Name,
		pods:         follow[*corev1.Pod](t, f.client, &corev1.PodList{}, ns.Name),
		certificates: follow[*v1alpha1.PodBirthCertificate](t, f.client, &v1alpha1.PodBirthCertificateList{}, ns.Name),
		whispers:     follow[*v1alpha1.KernelWhisper](t, f.client, &v1alpha1.KernelWhisperList{}, ns.Name),
	}
}

// change makes a pod another than the default one.
type change func(*corev1.Pod)

func shell(script string) change {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Image = busyboxImage
		p.Spec.Containers[0].Command = []string{"sh", "-c", script}
	}
}

func cpuLimit(limit string) change {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(limit)}
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
	}
}

func cpuRequest(request string) change {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(request)}
	}
}

// create makes a pod: nginx, unless changed.
func (s *scene) create(name string, changes ...change) *corev1.Pod {
	s.t.Helper()
	p := s.podNamed(name, changes...)
	if err := s.f.client.Create(s.t.Context(), p); err != nil {
		s.t.Fatalf("create pod %s: %v", name, err)
	}
	return p
}

// podNamed is what create makes.
func (s *scene) podNamed(name string, changes ...change) *corev1.Pod {
	now, no := int64(0), false
	p := &corev1.Pod{}
	p.Name, p.Namespace = name, s.namespace
	p.Spec = corev1.PodSpec{
		AutomountServiceAccountToken:  &no,
		EnableServiceLinks:            &no,
		TerminationGracePeriodSeconds: &now,
		Containers:                    []corev1.Container{{Name: app, Image: nginxImage, ImagePullPolicy: corev1.PullIfNotPresent}},
	}
	if s.f.node != nil {
		p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: s.f.node.hostname}
	}
	for _, c := range changes {
		c(p)
	}
	return p
}

func (s *scene) delete(p *corev1.Pod) {
	s.t.Helper()
	if err := s.f.client.Delete(s.t.Context(), p); err != nil {
		s.t.Fatalf("delete pod %s: %v", p.Name, err)
	}
}

// exec runs a command in a pod's container.
func (s *scene) exec(p *corev1.Pod, args ...string) {
	s.t.Helper()
	s.kubectl(append([]string{"exec", p.Name, "-c", app, "--"}, args...)...)
}

// kubectl runs the real one in the scene's namespace and returns what it prints.
func (s *scene) kubectl(args ...string) string {
	s.t.Helper()
	program, err := exec.LookPath("kubectl")
	if err != nil {
		program = filepath.Join(os.Getenv("KG_NODE_BIN"), "kubectl")
	}
	command := exec.CommandContext(s.t.Context(), program, append([]string{"-n", s.namespace}, args...)...)
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("kubectl %q: %v: %s", args, err, out)
	}
	return string(out)
}

func (s *scene) logs(p *corev1.Pod) string {
	s.t.Helper()
	raw, err := s.f.kube.CoreV1().Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{}).Do(s.t.Context()).Raw()
	if err != nil {
		s.t.Fatalf("logs of pod %s: %v", p.Name, err)
	}
	return string(bytes.TrimSpace(raw))
}

// ready waits until a pod is Ready.
func (s *scene) ready(p *corev1.Pod) sighting[*corev1.Pod] {
	s.t.Helper()
	return s.pods.await(s.t, p.Name+" Ready", patience, func(seen sighting[*corev1.Pod]) bool {
		return seen.object.UID == p.UID && isReady(seen.object)
	})
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// containerID is the runtime's id of a pod's container, without the scheme.
func containerID(p *corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == app {
			return afterScheme(c.ContainerID)
		}
	}
	return ""
}

// certificate waits for a pod's certificate. On a busy node the kubelet's events
// about images come later than the birth's end: then it is the one that has them.
func (s *scene) certificate(p *corev1.Pod) sighting[*v1alpha1.PodBirthCertificate] {
	s.t.Helper()
	return s.certificates.await(s.t, "about "+p.Name, patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.UID == string(p.UID) && !awaitsImages(seen.object) && seen.object.Spec.Outcome != v1alpha1.OutcomePending
	})
}

// firstCertificate waits for the first state of a pod's certificate.
func (s *scene) firstCertificate(p *corev1.Pod) sighting[*v1alpha1.PodBirthCertificate] {
	s.t.Helper()
	return s.certificates.await(s.t, "about "+p.Name, patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.UID == string(p.UID)
	})
}

func awaitsImages(c *v1alpha1.PodBirthCertificate) bool {
	return slices.ContainsFunc(c.Spec.Coverage.Missing, func(m string) bool { return strings.Contains(m, "has not come yet") })
}

// certificateNames are the names of all certificates that a pod was given.
func (s *scene) certificateNames(p *corev1.Pod) map[string]int64 {
	names := map[string]int64{}
	for _, seen := range s.certificates.sightings(func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.UID == string(p.UID)
	}) {
		names[seen.object.Name] = seen.object.Generation
	}
	return names
}

// whisper waits for the first state of a pod's whisper of throttling that passes.
// On busy CPUs there may be another whisper beside it, of waiting for them.
func (s *scene) whisper(p *corev1.Pod, what string, limit time.Duration, pass func(*v1alpha1.KernelWhisper) bool) sighting[*v1alpha1.KernelWhisper] {
	s.t.Helper()
	return s.whisperOf(v1alpha1.ReasonCPUThrottling, p, what, limit, pass)
}

func (s *scene) whisperOf(reason v1alpha1.Reason, p *corev1.Pod, what string, limit time.Duration, pass func(*v1alpha1.KernelWhisper) bool) sighting[*v1alpha1.KernelWhisper] {
	s.t.Helper()
	return s.whispers.await(s.t, "about "+p.Name+" "+what, limit, func(seen sighting[*v1alpha1.KernelWhisper]) bool {
		return seen.object.Spec.PodRef.UID == string(p.UID) && seen.object.Spec.Reason == reason && pass(seen.object)
	})
}

func anyState(*v1alpha1.KernelWhisper) bool { return true }

// told are all states of a pod's whispers of throttling.
func (s *scene) told(p *corev1.Pod) []sighting[*v1alpha1.KernelWhisper] {
	return s.whispers.sightings(func(seen sighting[*v1alpha1.KernelWhisper]) bool {
		return seen.object.Spec.PodRef.UID == string(p.UID) && throttled(seen.object)
	})
}
