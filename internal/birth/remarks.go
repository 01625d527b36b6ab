// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// The kubelet says in events what it shows nowhere else: whether an image was
// pulled, and why a pod stands still. They are asked for once a birth has its
// outcome, again for a moment as they may come later than the pod's state, and
// now and then while nothing is heard of a birth.
const (
	askAgainAfter = uint64(200 * time.Millisecond)
	askStuckAfter = uint64(3 * time.Second)
	askStuckEvery = uint64(10 * time.Second)
	// answersMax is how often a birth with an outcome is asked for.
	answersMax = 5
	remarksMax = 64
)

// Asking are the pods whose events are wanted now. Each is taken to be asked for.
func (b *Book) Asking(now uint64) []Pod {
	var all []Pod
	for uid, current := range b.births {
		s := b.pods[uid]
		if s == nil || s.pod.Name == "" || !b.asks(current, s, now) {
			continue
		}
		s.asked = now
		all = append(all, s.pod)
	}
	return append(all, b.askingLate(now)...)
}

func (b *Book) asks(current *birth, s *seen, now uint64) bool {
	if s.pod.Deleted {
		return s.ready == 0 && current.told.lastWord.ask(s, now)
	}
	if awaitsWarning(current, s, now) || b.awaitsKiller(current, s, now) {
		return now-s.asked >= askAgainAfter
	}
	if s.outcome != 0 && !current.resting(now) {
		return s.answers < answersMax && !s.imagesTold() && now-s.asked >= askAgainAfter
	}
	return now-current.last >= askStuckAfter && now-s.asked >= askStuckEvery
}

// lastWord is the request for what the kubelet had said of a pod that was deleted
// before it was Ready.
type lastWord struct {
	asked   uint64
	answers int // that there had been before
}

// ask is true once.
func (l *lastWord) ask(s *seen, now uint64) bool {
	if l.asked != 0 {
		return false
	}
	l.asked, l.answers = now, s.answers
	return true
}

// awaitsWarning is true for a moment after a sandbox has failed.
func awaitsWarning(current *birth, s *seen, now uint64) bool {
	if now-current.last > explainedAfter || s.outcome != 0 {
		return false
	}
	if _, _, said := s.warning("Sandbox"); said {
		return false
	}
	a := attemptsOf(current.events, s)[v1alpha1.SandboxContainer]
	return a != nil && a.failed > 0
}

// waitsForLastWord is true while the answer to the last request about a pod that
// was deleted is on its way.
func (b *Book) waitsForLastWord(current *birth, s *seen, now uint64) bool {
	l := current.told.lastWord
	return b.config.Remarks && s.pod.Deleted && s.ready == 0 && (l.asked == 0 || s.answers == l.answers && now < l.asked+restMax)
}

// Said takes what the kubelet has said of a pod so far.
func (b *Book) Said(uid string, remarks []Remark) {
	remarks = remarks[:min(len(remarks), remarksMax)]
	if s := b.pods[uid]; s != nil {
		s.remarks = b.ofThisBirth(b.births[uid], remarks)
		s.answers++
	}
	if l := b.late[uid]; l != nil {
		l.seen.remarks = b.ofThisBirth(l.birth, remarks)
	}
}

// imagesTold is true once the kubelet has said of every container that was made
// where its image came from.
func (s *seen) imagesTold() bool {
	for _, c := range s.pod.Containers {
		if c.ID != "" && s.image(c.Name) == nil {
			return false
		}
	}
	return true
}

// "Successfully pulled image "…" in 1.5s (2.1s including waiting). Image size:
// 123 bytes." (pkg/kubelet/images/image_manager.go), of which older kubelets say less.
var pulledMessage = regexp.MustCompile(`^Successfully pulled image(?: ".*"(?: in ([0-9a-zµ.]+)(?: \([0-9a-zµ.]+ including waiting\))?)?(?:\. Image size: ([0-9]+) bytes)?)?`)

// presentMessage is in what it says where nothing had to be pulled.
const presentMessage = "already present on machine"

// pulled is what the kubelet said first of a container's image being there: a later
// attempt finds it there anyway.
func (s *seen) pulled(container string) (first Remark, ok bool) {
	for _, r := range s.remarks {
		if r.Reason == "Pulled" && r.Container == container && (!ok || r.First.Before(first.First)) {
			first, ok = r, true
		}
	}
	return first, ok
}

// image is what the kubelet said of a container's image, nil if nothing yet.
func (s *seen) image(container string) *v1alpha1.ContainerImage {
	r, ok := s.pulled(container)
	if !ok {
		return nil
	}
	m := pulledMessage.FindStringSubmatch(r.Message)
	switch {
	case m == nil && strings.Contains(r.Message, presentMessage):
		return &v1alpha1.ContainerImage{Source: v1alpha1.ImagePresent}
	case m == nil:
		return nil
	}
	image := &v1alpha1.ContainerImage{Source: v1alpha1.ImagePulled}
	if took, err := time.ParseDuration(m[1]); err == nil {
		us := took.Microseconds()
		image.PullMicroseconds = &us
	}
	if size, err := strconv.ParseInt(m[2], 10, 64); err == nil {
		image.SizeBytes = &size
	}
	return image
}

// pulls is true if the kubelet's last word on a container's image is that it is
// being pulled.
func (s *seen) pulls(container string) bool {
	var latest Remark
	for _, r := range s.remarks {
		if r.Container == container && (r.Reason == "Pulling" || r.Reason == "Pulled" || r.Reason == "Failed") && !r.Time.Before(latest.Time) {
			latest = r
		}
	}
	return latest.Reason == "Pulling"
}

// imageTime is when the kubelet said so first, in whole seconds; zero if it did not.
func (s *seen) imageTime(container string) time.Time {
	r, _ := s.pulled(container)
	if r.First.IsZero() {
		return r.Time
	}
	return r.First
}

// Steps that the kubelet's warnings are about, by their reason.
var warningSteps = map[string]string{
	"FailedMount":              "VolumeMount",
	"FailedAttachVolume":       "VolumeMount",
	"FailedMapVolume":          "VolumeMount",
	"FailedCreatePodSandBox":   "Sandbox",
	"FailedCreatePodContainer": "PodCgroup",
	"NetworkNotReady":          "Network",
	"Unhealthy":                "Readiness",
}

// actor is by whose hand that failed which the kubelet warns of: what it asked
// a runtime for comes back as an error of a call (rpc).
func (r *Remark) actor() v1alpha1.Actor {
	if strings.Contains(r.Message, "rpc error") || r.Reason == "NetworkNotReady" {
		return v1alpha1.ActorRuntime
	}
	return v1alpha1.ActorKubelet
}

// hindrance is a warning of the kubelet that tells why nothing was heard of the
// pod since the given time, and the step that it is about.
func (s *seen) hindrance(since time.Time) (Remark, string, bool) {
	r, step, ok := s.warning("VolumeMount", "PodCgroup", "Sandbox", "Network")
	return r, step, ok && !r.Time.Before(since.Truncate(time.Second))
}

// warning is the latest warning of the kubelet about one of these steps.
func (s *seen) warning(steps ...string) (Remark, string, bool) {
	var latest Remark
	found := ""
	for _, r := range s.remarks {
		step := warningSteps[r.Reason]
		for _, wanted := range steps {
			if step == wanted && (found == "" || !r.Time.Before(latest.Time)) {
				latest, found = r, step
			}
		}
	}
	return latest, found, found != ""
}

// ContainerOfField is the container that an event's field path names, such as
// spec.containers{app}, or empty.
func ContainerOfField(path string) string {
	_, name, ok := strings.Cut(path, "{")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, "}")
}
