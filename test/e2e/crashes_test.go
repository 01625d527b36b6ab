// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Births that fail with the container's program.

// foreign is the header of a program for another machine: ELF, 64 bits, little
// endian, executable, of a machine number that nobody has (elf.h: EM_ALPHA).
func foreign() []byte {
	header := make([]byte, 120)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[19], header[20], header[52], header[54] = 2, 0x26, 0x90, 1, 64, 56
	return header
}

// refusals are entrypoints that never run.
var refusals = []struct {
	name    string
	program string
	files   map[string][]byte
	want    ending
}{
	{
		"missing", "/no/such/program", nil,
		ending{errno: "ENOENT", file: "/no/such/program", insight: []string{"/no/such/program", "no such file"}},
	},
	{
		"not-in-path", "no-such-program", nil,
		ending{errno: "ENOENT", file: "no-such-program", insight: []string{"no-such-program"}},
	},
	{
		"not-executable", "/etc/passwd", nil,
		ending{errno: "EACCES", file: "/etc/passwd", insight: []string{"/etc/passwd", "permission denied"}},
	},
	{
		"directory", "/etc", nil,
		ending{errno: "EACCES", file: "/etc", insight: []string{"/etc"}},
	},
	{
		"of-another-machine", "/files/run", map[string][]byte{"run": foreign()},
		ending{errno: "ENOEXEC", file: "/files/run", exitCode: code(1), insight: []string{"/files/run", "not an executable of this machine"}},
	},
	{
		"without-interpreter", "/files/run", map[string][]byte{"run": []byte("#!/no/such/interpreter\n")},
		ending{errno: "ENOENT", file: "/files/run", exitCode: code(1), insight: []string{"interpreter"}},
	},
}

// TestEntrypointThatCannotBeExecuted names programs that the runtime does not
// find, or that the kernel refuses.
func TestEntrypointThatCannotBeExecuted(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, f)
			changes := []change{command(r.program), never}
			if r.files != nil {
				changes = append(changes, s.files("/files", r.files))
			}
			want := r.want
			want.step, want.actor, want.container = "Entrypoint", v1alpha1.ActorRuntime, app
			want.reason, want.attempts = "StartError|Error", 1
			s.fails(s.create(r.name, changes...), want)
		})
	}
}

// TestCrashLoop has a program that ends at once, again and again: one
// certificate counts the attempts.
func TestCrashLoop(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("crashing", shell("exit 3"))
	want := ending{
		step: "Entrypoint", actor: v1alpha1.ActorWorkload, container: app, exitCode: code(3), reason: "|Error|CrashLoopBackOff",
		insight: []string{"container app", "exit code 3"},
	}
	first := s.fails(pod, want)
	if first.Spec.Complete {
		t.Errorf("the kubelet tries again, and the certificate is complete")
	}
	want.attempts = 3
	s.fails(pod, want)
	if last := s.ends(pod, want); last.Name != first.Name {
		t.Errorf("another certificate: %s after %s", last.Name, first.Name)
	}
}

// TestFlakyStart fails once and then succeeds.
func TestFlakyStart(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("flaky", shell("[ -e /state/once ] && exec sleep 3600; touch /state/once; exit 1"),
		volume("/state", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}))
	c := s.certificates.await(t, "of a birth", patience, func(seen sighting[*v1alpha1.PodBirthCertificate]) bool {
		return seen.object.Spec.Outcome == v1alpha1.OutcomeReady
	}).object
	wantHeard(t, c, v1alpha1.OutcomeReady)
	if c.Spec.FailedAttempts != 1 || c.Spec.Failure != nil {
		t.Errorf("failed attempts %d, failure %+v; want 1 and none", c.Spec.FailedAttempts, c.Spec.Failure)
	}
	if a := actorStats(c, v1alpha1.ActorWorkload, app); a.Processes != 3 || a.Execs != 3 {
		t.Errorf("workload %+v, want sh and its touch, then sh that became sleep", a)
	}
	wantOneCertificate(t, s, pod)
}

// TestKilledBySignal has a program that dies of a fault of its own.
func TestKilledBySignal(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("faulty", shell("sh -c 'kill -SEGV $PPID'; sleep 3600"), never, func(p *corev1.Pod) {
		share := true
		p.Spec.ShareProcessNamespace = &share // process 1 of a namespace cannot be killed from within
	})
	s.fails(pod, ending{
		step: "Entrypoint", actor: v1alpha1.ActorWorkload, container: app, signal: "SIGSEGV", reason: "|Error", attempts: 1,
		insight: []string{"container app", "SIGSEGV"},
	})
}

// TestKilledByItsMemoryLimit uses up more than it may.
func TestKilledByItsMemoryLimit(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("hungry", command("tail", "/dev/zero"), never, memoryLimit("24Mi"))
	s.fails(pod, ending{
		step: "Entrypoint", actor: v1alpha1.ActorKernel, container: app, signal: "SIGKILL", reason: "OOMKilled", attempts: 1,
		insight: []string{"container app", "memory limit"},
	})
}

// TestMemoryLimitBelowTheRuntimesNeed leaves no room for the runtime's own init,
// in the container or, where all containers are limited, in the pod.
func TestMemoryLimitBelowTheRuntimesNeed(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	// The runtime's init takes about 2 MiB: limits near it hold by chance.
	tight := s.create("tight", shell(idles), never, memoryLimit("1Mi"))
	pod := s.create("cramped", shell(idles), never, func(p *corev1.Pod) {
		second := p.Spec.Containers[0]
		second.Name = "second"
		p.Spec.Containers = append(p.Spec.Containers, second)
		setLimit(&p.Spec.Containers[1], corev1.ResourceMemory, "64Mi")
	}, memoryLimit("1Mi"))
	s.fails(tight, ending{
		step: "Sandbox", actor: v1alpha1.ActorKernel, file: "runc", exitCode: code(1), reason: "OOMKilled", attempts: 1,
		insight: []string{"step Sandbox", "memory limit"},
	})
	s.fails(pod, ending{
		step: "ContainerCreate", actor: v1alpha1.ActorRuntime, container: app, reason: "StartError", attempts: 1,
		message: "unable to set memory limit",
		insight: []string{"container app", "memory limit"},
	})
}

// TestInitContainerThatFails never lets the container begin.
func TestInitContainerThatFails(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("unprepared", shell(idles), never, initContainer("first", "true"), initContainer("second", "sh", "-c", "exit 7"))
	c := s.fails(pod, ending{
		step: "InitContainer", actor: v1alpha1.ActorWorkload, container: "second", exitCode: code(7), reason: "|Error", attempts: 1,
		insight: []string{"container second", "exit code 7"},
	})
	if milestonesOf(t, c, "first").EntrypointExec == nil || milestonesOf(t, c, "second").EntrypointExec == nil || len(c.Spec.Milestones.Containers) != 2 {
		t.Errorf("milestones %+v: want both init containers, and no other", c.Spec.Milestones.Containers)
	}
}

// TestNeverReady deletes a pod that runs and whose readiness probe fails. What
// the probe executes in the container meanwhile is not part of the birth.
func TestNeverReady(t *testing.T) {
	f := cluster(t)
	t.Parallel()
	s := newScene(t, f)
	pod := s.create("shy", shell(idles), func(p *corev1.Pod) { p.Spec.Containers[0].ReadinessProbe = execProbe("false") })
	events := follow[*corev1.Event](t, f.client, &corev1.EventList{}, s.namespace)
	events.await(t, "of a failed probe", patience, func(seen sighting[*corev1.Event]) bool {
		return seen.object.Reason == "Unhealthy" && seen.object.InvolvedObject.UID == pod.UID
	})
	s.delete(pod)
	c := s.fails(pod, ending{
		step: "Readiness", actor: v1alpha1.ActorKubelet, container: app, reason: "Unhealthy",
		message: "deleted before it was Ready; Readiness probe failed", insight: []string{"container app", "probe", "Ready"},
	})
	if c.Spec.Milestones.Ready != nil || milestonesOf(t, c, app).EntrypointExec == nil {
		t.Errorf("milestones %+v; want its entrypoint, and not Ready", c.Spec.Milestones)
	}
	if a := actorStats(c, v1alpha1.ActorWorkload, app); a.Processes != 1 || a.Execs != 2 {
		t.Errorf("workload %+v, want one process that executed sh and then sleep", a)
	}
}
