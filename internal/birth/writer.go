// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// writer writes one certificate.
type writer struct {
	config  Config
	birth   *birth
	seen    *seen
	closing Closing
	tracks  *tracks
	waits   waitNames
	final   bool // the birth is over, and not told while it goes on
	// imagesMayCome is set while the kubelet's events of images are waited for.
	imagesMayCome bool

	origin uint64
	spec   *v1alpha1.PodBirthCertificateSpec
	steps  []*step
	// ran are the containers that were heard of, by name, and whether their entrypoint was.
	ran      map[string]bool
	missing  []string
	timeline []v1alpha1.TimelineEntry
}

func (w *writer) write() *v1alpha1.PodBirthCertificate {
	pod := w.seen.pod
	slices.SortStableFunc(w.birth.events, func(a, b attribution.Attributed) int { return cmp.Compare(a.Time, b.Time) })
	w.setOrigin()
	w.spec.PodRef = v1alpha1.PodReference{Name: pod.Name, UID: pod.UID}
	w.spec.WorkloadRef = pod.Workload
	w.spec.NodeName = w.config.NodeName
	w.steps, w.ran = w.takeSteps(), map[string]bool{}
	w.spec.Runtime = w.runtime()
	w.writeScheduling()
	w.writeMilestones()
	w.writeOutcome()
	w.writeTimeline()
	w.writePhases()
	w.writeStats()
	w.writeCoverage()
	w.bound()
	return &v1alpha1.PodBirthCertificate{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PodBirthCertificate"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace,
			Name:      Name(pod.Name, pod.UID, w.birth.ordinal()),
			Labels:    labels(pod.UID, w.config.NodeName),
		},
		Spec: *w.spec,
	}
}

// Name of a pod's certificate: the pod's name, cut where it must be, the first eight
// characters of its UID, and of a pod that was born before under that UID which birth
// it is, from 2.
func Name(pod, uid string, birth int) string {
	const nameMax = 253
	end := "-" + shortUID(uid)
	if birth > 1 {
		end += "-" + strconv.Itoa(birth)
	}
	if keep := nameMax - len(end); len(pod) > keep {
		pod = strings.TrimRight(pod[:keep], "-.")
	}
	return pod + end
}

func shortUID(uid string) string { return uid[:min(8, len(uid))] }

func labels(uid, node string) map[string]string {
	l := map[string]string{v1alpha1.LabelPodUID: uid}
	if node != "" && len(node) <= 63 {
		l[v1alpha1.LabelNode] = node
	}
	return l
}

// setOrigin puts the origin at the earliest sign: the watch's delivery of the
// binding or the pod's cgroup.
func (w *writer) setOrigin() {
	w.origin = w.birth.began
	if len(w.birth.events) > 0 {
		w.origin = min(w.origin, w.birth.events[0].Time)
	}
	clock := v1alpha1.ClockKernel
	if first := w.seen.first; first != 0 && first < w.origin {
		w.origin, clock = first, v1alpha1.ClockWatch
	}
	w.spec = &v1alpha1.PodBirthCertificateSpec{
		Origin: v1alpha1.Origin{Time: metav1.NewMicroTime(w.config.Wall(w.origin)), Clock: clock},
	}
}

func (w *writer) writeScheduling() {
	pod := w.seen.pod
	if pod.Created.IsZero() {
		return
	}
	w.spec.Scheduling = &v1alpha1.Scheduling{CreatedTime: metav1.NewTime(pod.Created)}
	if !pod.Scheduled.IsZero() {
		scheduled := metav1.NewTime(pod.Scheduled)
		w.spec.Scheduling.ScheduledTime = &scheduled
	}
}

// offset of a time since the origin, in microseconds.
func (w *writer) offset(t uint64) int64 {
	if t < w.origin {
		return 0
	}
	return int64((t - w.origin) / 1000)
}

func (w *writer) at(t uint64, clock v1alpha1.Clock) *v1alpha1.Milestone {
	return &v1alpha1.Milestone{OffsetMicroseconds: w.offset(t), Clock: clock}
}

// container is the name under which an event's container appears: its name in
// the pod, the sandbox's, or, where the API server did not tell, the short form
// of its id.
func (w *writer) container(who attribution.Identity) string {
	if who.ContainerID == "" || who.Role == event.RoleCNI || who.Role == event.RoleShim {
		return "" // the network and the shim are the pod's
	}
	if who.Sandbox {
		return v1alpha1.SandboxContainer
	}
	if name := w.seen.names[who.ContainerID]; name != "" {
		return name
	}
	if !w.config.WithoutAPI && !w.runsWorkload(who.ContainerID) {
		return ""
	}
	return who.ContainerID[:min(12, len(who.ContainerID))]
}

func (w *writer) runsWorkload(id string) bool {
	for _, e := range w.birth.events {
		if e.Who.ContainerID == id && e.Kind == event.Exec && e.Workload {
			return true
		}
	}
	return false
}

func (w *writer) runtime() string {
	for _, c := range w.seen.pod.Containers {
		if c.Runtime != "" {
			return c.Runtime
		}
	}
	for _, s := range w.steps {
		switch s.role {
		case event.RoleShim:
			return "containerd"
		case event.RoleMonitor:
			return "cri-o"
		}
	}
	return ""
}

// writeOutcome says how the birth ended and how long it took.
func (w *writer) writeOutcome() {
	end := w.lastMilestone()
	pod := w.seen.pod
	_, _, failing := pod.failing()
	w.spec.UnderWay = !w.final
	switch {
	case w.seen.ready != 0 && !w.crashed():
		w.spec.Outcome = v1alpha1.OutcomeReady
		end = w.seen.ready
	case w.goesOn(failing):
		w.spec.Outcome = v1alpha1.OutcomePending
	case failing || w.crashed() || !w.workloadsRan() || w.neverReady():
		w.spec.Outcome = v1alpha1.OutcomeFailed
		w.spec.Failure = w.failure()
	default:
		w.spec.Outcome = v1alpha1.OutcomeRunning
	}
	w.writeAttempts()
	if w.spec.Outcome == v1alpha1.OutcomeFailed {
		end = max(end, w.lastFailed())
	}
	w.spec.KernelStats.DurationMicroseconds = w.offset(end)
	w.spec.Duration = Duration(w.spec.KernelStats.DurationMicroseconds)
}

// goesOn is true for a birth that is told while nothing stands in its way: attempts
// may have failed before.
func (w *writer) goesOn(failing bool) bool {
	if w.final || failing || w.crashed() {
		return false
	}
	if _, _, warned := w.seen.hindrance(w.config.Wall(w.birth.last)); warned {
		return false
	}
	for _, a := range attemptsOf(w.birth.events, w.seen) {
		if a.last.failed {
			return false
		}
	}
	return true
}

// crashed is true if a container that should go on has ended, and badly: the API
// may have called its pod Ready, for the runtime had started it.
func (w *writer) crashed() bool {
	for name, a := range attemptsOf(w.birth.events, w.seen) {
		if c, ok := w.seen.pod.container(name); ok && !c.Init && a.last.failed {
			return true
		}
	}
	return false
}

// neverReady is true for a pod that ran until its birth's time was up, or until
// it was deleted, and was not Ready.
func (w *writer) neverReady() bool {
	return w.final && !w.config.WithoutAPI && w.seen.pod.Phase != "Succeeded"
}

// workloadsRan is true if every container that the API server names, or at
// least one where it named none, got to its entrypoint. Where entrypoints are not
// heard it is the API server's word that they ran, and so it is of a pod that has done
// its work.
func (w *writer) workloadsRan() bool {
	if w.seen.pod.Phase == "Succeeded" {
		return true
	}
	if all := w.seen.pod.Containers; w.config.unheard(hooks.Exec) && len(all) > 0 {
		return !slices.ContainsFunc(all, func(c Container) bool { return !c.Running && c.Ended == nil })
	}
	for _, c := range w.seen.pod.Containers {
		unheard := w.birth.midst && (c.Running || c.Ended != nil)
		if !w.ran[c.Name] && !unheard {
			return false
		}
	}
	return w.birth.midst || slices.Contains(slices.Collect(maps.Values(w.ran)), true)
}

func (w *writer) lastMilestone() uint64 {
	last := w.origin
	for _, e := range w.birth.events {
		switch e.Kind {
		case event.CgroupMkdir, event.SessionOpen, event.Listen, event.Exec, event.ExecFailed:
			last = max(last, e.Time)
		}
	}
	return last
}

// Duration is a duration in microseconds as people read it.
func Duration(microseconds int64) string {
	d := time.Duration(microseconds) * time.Microsecond
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(microseconds)/1e3)
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d.Round(10*time.Millisecond) < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}
