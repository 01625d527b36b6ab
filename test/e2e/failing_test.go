// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// ending is how a birth is to fail. Reason and message are regular expressions;
// what else is empty is to be absent.
type ending struct {
	step            string
	actor           v1alpha1.Actor
	container       string
	errno           string
	signal          string
	file            string
	exitCode        *int32
	reason, message string
	// attempts that failed, at least.
	attempts int32
	// insight holds what the operator's sentence is to say.
	insight []string
}

func code(n int32) *int32 { return &n }

// differs says what of a certificate is not as it is to be, or nothing.
func (want *ending) differs(c *v1alpha1.PodBirthCertificate) string {
	got := c.Spec.Failure
	if c.Spec.Outcome != v1alpha1.OutcomeFailed || got == nil {
		return fmt.Sprintf("outcome %s, want Failed", c.Spec.Outcome)
	}
	for _, pair := range []struct{ what, got, want string }{
		{"step", got.Step, want.step},
		{"actor", string(got.Actor), string(want.actor)},
		{"container", got.Container, want.container},
		{"errno", got.Errno, want.errno},
		{"signal", got.Signal, want.signal},
		{"file", got.File, want.file},
		{"exit code", number32(got.ExitCode), number32(want.exitCode)},
	} {
		if pair.got != pair.want {
			return fmt.Sprintf("%s %q, want %q", pair.what, pair.got, pair.want)
		}
	}
	if !regexp.MustCompile("^(" + want.reason + ")$").MatchString(got.Reason) {
		return fmt.Sprintf("reason %q, want %s", got.Reason, want.reason)
	}
	if !regexp.MustCompile(want.message).MatchString(got.Message) {
		return fmt.Sprintf("message %q, want %s", got.Message, want.message)
	}
	if c.Spec.FailedAttempts < want.attempts {
		return fmt.Sprintf("%d failed attempts, want %d", c.Spec.FailedAttempts, want.attempts)
	}
	return ""
}

func number32(n *int32) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

// fails waits until a pod's only certificate tells that its birth failed in this
// way, and the operator has said so. It returns the certificate with its verdict.
func (s *scene) fails(p *corev1.Pod, want ending) *v1alpha1.PodBirthCertificate {
	s.t.Helper()
	about := func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.PodRef.UID == string(p.UID)
	}
	judged := s.certificates.await(s.t, "about "+p.Name+" as it is to fail, with a verdict", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		c := seen.object
		return about(seen) && want.differs(c) == "" && c.Status.ObservedGeneration == c.Generation && c.Status.Insight != ""
	}).object
	for _, words := range want.insight {
		if !strings.Contains(judged.Status.Insight, words) {
			s.t.Errorf("insight %q does not say %q", judged.Status.Insight, words)
		}
	}
	for _, seen := range s.certificates.sightings(about) {
		if f := seen.object.Spec.Failure; f != nil && (f.Step != want.step || f.Container != "" && f.Container != want.container) {
			s.t.Errorf("before, the certificate told %+v", f)
		}
	}
	wantOneCertificate(s.t, s, p)
	wantAllAttributed(s.t, judged)
	if want.attempts > 0 {
		wantAttemptsAt(s.t, judged, want.step)
	}
	return judged
}

// wantAttemptsAt fails unless the failed attempts bear the name of what the birth failed at.
func wantAttemptsAt(t *testing.T, c *v1alpha1.PodBirthCertificate, step string) {
	t.Helper()
	of := c.Spec.Failure.Container
	if step == "Sandbox" || step == "Network" {
		of = v1alpha1.SandboxContainer
	}
	if !slices.ContainsFunc(c.Spec.Attempts, func(a v1alpha1.StepAttempts) bool { return a.Step == step && a.Container == of }) {
		t.Errorf("certificate %s failed at %s, and its attempts at %+v", c.Name, step, c.Spec.Attempts)
	}
}

// ends deletes a pod whose birth fails and waits for its last word.
func (s *scene) ends(p *corev1.Pod, want ending) *v1alpha1.PodBirthCertificate {
	s.t.Helper()
	before := s.certificate(p).object
	s.delete(p)
	c := s.certificates.await(s.t, "about "+p.Name+" after its end", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Name == before.Name && !seen.object.Spec.UnderWay
	}).object
	if what := want.differs(c); what != "" {
		s.t.Errorf("after the pod's end: %s", what)
	}
	wantOneCertificate(s.t, s, p)
	return c
}

func wantOneCertificate(t *testing.T, s *scene, p *corev1.Pod) {
	t.Helper()
	if names := s.certificateNames(p); len(names) != 1 {
		t.Errorf("pod %s has certificates %v, want one", p.Name, names)
	}
}

// wantAllAttributed fails unless everything that was heard is accounted for.
// Where others are being born at once, an event of theirs may wait for its name.
func wantAllAttributed(t *testing.T, c *v1alpha1.PodBirthCertificate) {
	t.Helper()
	if v := c.Spec.Coverage; v.LostEvents != 0 || v.Events == nil || v.Events.Unresolved*100 > v.Events.Heard {
		t.Errorf("certificate %s: coverage %s %%, lost %d, %+v", c.Name, v.AttributedPercent, v.LostEvents, v.Events)
	}
	wantSize(t, c, 16<<10)
}

// never leaves a pod's containers to lie where they end.
func never(p *corev1.Pod) { p.Spec.RestartPolicy = corev1.RestartPolicyNever }

// files gives the pod's container a volume with these files, executable.
func (s *scene) files(path string, files map[string][]byte) change {
	s.t.Helper()
	m := &corev1.ConfigMap{BinaryData: files}
	m.GenerateName, m.Namespace = "files-", s.namespace
	if err := s.f.client.Create(s.t.Context(), m); err != nil {
		s.t.Fatalf("make a config map: %v", err)
	}
	mode := int32(0o755)
	return volume(path, corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: m.Name}, DefaultMode: &mode,
	}})
}

// volume mounts a volume into the pod's container.
func volume(path string, source corev1.VolumeSource) change {
	return func(p *corev1.Pod) {
		name := fmt.Sprintf("volume-%d", len(p.Spec.Volumes))
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
		c := &p.Spec.Containers[0]
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
	}
}

func memoryLimit(limit string) change {
	return func(p *corev1.Pod) { setLimit(&p.Spec.Containers[0], corev1.ResourceMemory, limit) }
}

func setLimit(c *corev1.Container, name corev1.ResourceName, limit string) {
	c.Resources.Limits = corev1.ResourceList{name: resource.MustParse(limit)}
}

// initContainer adds one that runs a command.
func initContainer(name string, args ...string) change {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name, Image: busyboxImage, Command: args})
	}
}

func execProbe(args ...string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: args}}, PeriodSeconds: 1}
}

// remove deletes what does not go with the scene's namespace.
func (s *scene) remove(object client.Object) {
	if err := s.f.client.Delete(context.Background(), object); err != nil {
		s.t.Errorf("delete %s: %v", object.GetName(), err)
	}
}
