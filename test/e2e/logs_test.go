// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// clocksApart is how far apart two readings of wall time may be: that of a log,
// and that which a certificate makes of the kernel's monotonic clock.
const clocksApart = time.Millisecond

// nodeLog is a file in which a component of the one-node cluster keeps its log.
func nodeLog(t *testing.T, component string) string {
	t.Helper()
	file := filepath.Join(os.Getenv("KG_NODE_BIN"), "..", "..", "log", component+".log")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("this cluster does not keep the log of %s where the one-node cluster does", component)
	}
	return file
}

// awaitLine waits for a line of a log that has all of the parts.
func awaitLine(t *testing.T, file string, parts ...string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		for line := range strings.Lines(readFile(t, file)) {
			has := true
			for _, part := range parts {
				has = has && strings.Contains(line, part)
			}
			if has {
				return line
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: no line with %q within %s", file, parts, patience)
		}
	}
}

// call is a call of the runtime by the kubelet, as the runtime's log has it.
type call struct {
	name       string
	began, end time.Time
}

func (c call) took() time.Duration { return c.end.Sub(c.began) }

var containerdTime = regexp.MustCompile(`^time="([^"]+)"`)

// awaitCall waits for the first and the last line of a call. All lines of one call
// name the same things; the last says what it returns.
func awaitCall(t *testing.T, file, name string, of string) call {
	t.Helper()
	moment := func(line string) time.Time {
		m := containerdTime.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("%s: no time in %q", file, line)
		}
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	last := awaitLine(t, file, `msg="`+name, of, " returns ")
	return call{name, moment(awaitLine(t, file, `msg="`+name, of)), moment(last)}
}

// phasesOf are the phases of one name, for one container ("" for the pod).
func phasesOf(t *testing.T, c *v1alpha1.PodBirthCertificate, name, container string) v1alpha1.Phase {
	t.Helper()
	for _, p := range c.Spec.Phases {
		if p.Name == name && p.Container == container {
			return p
		}
	}
	t.Fatalf("certificate %s has no phase %s %s", c.Name, name, container)
	return v1alpha1.Phase{}
}

func phaseTimes(c *v1alpha1.PodBirthCertificate, p v1alpha1.Phase) (from, to time.Time) {
	from = c.Spec.Origin.Time.Add(time.Duration(p.StartMicroseconds) * time.Microsecond)
	return from, from.Add(time.Duration(p.DurationMicroseconds) * time.Microsecond)
}

// TestPhasesAgainstTheRuntimesLog holds the phases that the kernel saw against the
// calls in which containerd says that it did them.
func TestPhasesAgainstTheRuntimesLog(t *testing.T) {
	f := cluster(t)
	f.local(t)
	log := nodeLog(t, "containerd")
	s := newScene(t, f)
	s.keepArmed()
	pod := s.create("logged", cpuRequest("100m"))
	c := s.born(pod)
	id := containerID(s.ready(pod).object)

	quoted := func(text string) string { return `\"` + text + `\"` }
	run := awaitCall(t, log, "RunPodSandbox", "uid:"+quoted(string(pod.UID)))
	create := awaitCall(t, log, "CreateContainer", quoted(sandboxOf(t, log, id)))
	start := awaitCall(t, log, "StartContainer", quoted(id))

	inside := map[call][]v1alpha1.Phase{
		run: {phasesOf(t, c, "Network", ""), phasesOf(t, c, "ShimStart", ""),
			phasesOf(t, c, "ContainerCreate", v1alpha1.SandboxContainer), phasesOf(t, c, "ContainerStart", v1alpha1.SandboxContainer)},
		start: {phasesOf(t, c, "ContainerCreate", app), phasesOf(t, c, "ContainerStart", app)},
	}
	for _, p := range c.Spec.Phases {
		if p.Name == "CNIPlugin" {
			inside[run] = append(inside[run], p)
		}
	}
	for of, phases := range inside {
		explained := time.Duration(0)
		for _, p := range phases {
			from, to := phaseTimes(c, p)
			if from.Before(of.began.Add(-clocksApart)) || to.After(of.end.Add(clocksApart)) {
				t.Errorf("phase %s %s from %s to %s is not within %s, which lasted from %s to %s", p.Name, p.Container, from, to, of.name, of.began, of.end)
			}
			if p.Name != "CNIPlugin" { // within Network
				explained += to.Sub(from)
			}
		}
		// The phases of one call follow one another; the rest is containerd's own work.
		if explained > of.took()+clocksApart {
			t.Errorf("%s took %s by the log, its phases are %s", of.name, of.took(), explained)
		}
		f.figures.add(t, "phases against containerd's log: "+of.name, "%s of %s (%.0f %%)", explained.Round(10*time.Microsecond),
			of.took().Round(10*time.Microsecond), 100*explained.Seconds()/of.took().Seconds())
	}
	// The phase begins with the sandbox's exec. Nobody waits for that, and it may come
	// when the kubelet has gone on.
	from, to := phaseTimes(c, phasesOf(t, c, "KubeletContainer", app))
	started := momentOf(c, c.Spec.Milestones.SandboxStarted)
	if create.began.Before(from.Add(-clocksApart)) && from.After(started.Add(clocksApart)) || create.end.After(to.Add(clocksApart)) {
		t.Errorf("CreateContainer from %s to %s is not within the phase KubeletContainer from %s to %s", create.began, create.end, from, to)
	}
	if m := momentOf(c, c.Spec.Milestones.NetworkReady); m.Before(run.began.Add(-clocksApart)) || m.After(run.end.Add(clocksApart)) || started.Before(m) {
		t.Errorf("networkReady at %s, sandboxStarted at %s, RunPodSandbox from %s to %s", m, started, run.began, run.end)
	}
	if exec := momentOf(c, milestonesOf(t, c, app).EntrypointExec); exec.Before(start.began.Add(-clocksApart)) {
		t.Errorf("entrypointExec at %s is before StartContainer began at %s", exec, start.began)
	}
}

// readySince is the whole second in which the pod became Ready, by the API.
func readySince(t *testing.T, p *corev1.Pod) time.Time {
	t.Helper()
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.LastTransitionTime.Time
		}
	}
	t.Fatalf("pod %s has no condition Ready", p.Name)
	return time.Time{}
}

// sandboxOf finds the sandbox in which containerd says that it made a container.
func sandboxOf(t *testing.T, log, id string) string {
	t.Helper()
	line := awaitLine(t, log, `msg="CreateContainer within sandbox`, `returns container id \"`+id)
	_, after, _ := strings.Cut(line, `sandbox \"`)
	sandbox, _, ok := strings.Cut(after, `\"`)
	if !ok {
		t.Fatalf("%s: no sandbox in %q", log, line)
	}
	return sandbox
}

// TestReadyAgainstTheKubeletsLog holds the birth against what the kubelet says
// that it observed of the pod's start.
func TestReadyAgainstTheKubeletsLog(t *testing.T) {
	f := cluster(t)
	f.local(t)
	log := nodeLog(t, "kubelet")
	s := newScene(t, f)
	s.keepArmed()
	pod := s.create("observed", cpuRequest("100m"))
	c := s.born(pod)
	// The kubelet says so at the first change that its watch tells it once it has noted
	// that the pod runs. Where that was told before it was noted, there is none for a minute.
	const says = `"Observed pod startup duration"`
	named, n := fmt.Sprintf(`pod="%s/%s"`, pod.Namespace, pod.Name), 0
	eventually(t, "the kubelet's word on the start", func() bool {
		s.kubectl("label", "--overwrite", "pod", pod.Name, fmt.Sprintf("changed=%d", n))
		n++
		time.Sleep(samplingInterval)
		return slices.ContainsFunc(slices.Collect(strings.Lines(readFile(t, log))), func(line string) bool {
			return strings.Contains(line, says) && strings.Contains(line, named)
		})
	})
	line := awaitLine(t, log, says, named)
	value := func(key string) string {
		m := regexp.MustCompile(` ` + key + `="([^"]+)"`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("the kubelet does not say %s: %s", key, line)
		}
		return m[1]
	}
	moment := func(key string) time.Time {
		text, _, _ := strings.Cut(value(key), " m=")
		at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	took, err := time.ParseDuration(value("podStartE2EDuration"))
	if err != nil {
		t.Fatal(err)
	}
	created, running, watched := moment("podCreationTimestamp"), moment("observedRunningTime"), moment("watchObservedRunningTime")
	if c.Spec.Scheduling == nil || !c.Spec.Scheduling.CreatedTime.Time.Equal(created) {
		t.Errorf("scheduling %+v, the kubelet says created at %s", c.Spec.Scheduling, created)
	}
	// Both are told the same change by a watch of the API server, and either watch
	// may be late: the kubelet's own once was by 3.5 s. Where ours is by more than
	// lateAtMost, the certificate has the whole second in which the pod became Ready.
	const lateAtMost = 3 * time.Second
	since := readySince(t, s.ready(pod).object)
	ready, late := momentOf(c, c.Spec.Milestones.Ready), c.Spec.Milestones.Ready.Clock == v1alpha1.ClockAPI
	f.figures.add(t, "Ready after the kubelet's own watch of it", "%s (clock %s)", ready.Sub(watched).Round(10*time.Microsecond), c.Spec.Milestones.Ready.Clock)
	made := momentOf(c, milestonesOf(t, c, app).Created)
	if d := ready.Sub(since); late && d.Abs() > clocksApart || d < -clocksApart || d > lateAtMost+clocksApart {
		t.Errorf("ready at %s (clock %s), the API says since %s", ready, c.Spec.Milestones.Ready.Clock, since)
	}
	if since.After(watched) || ready.Before(made) && !late {
		t.Errorf("ready at %s, since %s; the container was made at %s, and the kubelet's watch told it Ready at %s", ready, since, made, watched)
	}
	// The runtime does not wait for the exec, and the kubelet tells the API server
	// before it takes the time.
	if made.After(running.Add(clocksApart)) {
		t.Errorf("the container was made at %s, the kubelet saw it run at %s", made, running)
	}
	// The kubelet counts from the whole second in which the pod was made.
	own := ready.Sub(created)
	f.figures.add(t, "from the pod's creation (whole seconds) to Ready, and by the kubelet", "%s, %s", own.Round(time.Millisecond), took.Round(time.Millisecond))
	if own > took+lateAtMost {
		t.Errorf("from creation to Ready %s, the kubelet says %s", own, took)
	}
}
