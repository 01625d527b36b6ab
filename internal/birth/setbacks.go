// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// setbackKey is whose setback it is, and at which step.
type setbackKey struct{ container, step string }

// setbackSteps are the steps that the kubelet takes before it asks for a container.
var setbackSteps = []string{"ImagePull", "VolumeMount", "ContainerConfig"}

// A setback is what keeps the kubelet from asking the runtime for a container: its
// image cannot be had, or its configuration cannot be used. The kernel hears nothing
// of it. The kubelet tries again, and says so twice: in the container's status, which
// shows the latest only and may miss one, and in events, which it counts, sends late,
// and leaves out where there are many. Whichever tells more is taken.
type setback struct {
	// reason and message as the status had them when it was last told.
	reason, message string
	// failed is how many failures the status showed.
	failed int32
	// first and last are when it showed them (the clock of events, ns).
	first, last uint64
}

// noteSetbacks takes what a pod's next state shows of its containers' setbacks.
func (s *seen) noteSetbacks(next *Pod, at uint64) {
	for _, c := range next.Containers {
		step := c.failingStep()
		if !slices.Contains(setbackSteps, step) {
			continue
		}
		before, _ := s.pod.container(c.Name)
		key := setbackKey{c.Name, step}
		b := s.setbacks[key]
		// That the kubelet waits until the next attempt is none.
		waits := c.WaitingReason == "ImagePullBackOff"
		if b.failed == 0 || !waits && (before.WaitingReason != c.WaitingReason || before.Message != c.Message) {
			b.failed++
			b.first, b.last = cmp.Or(b.first, at), at
		}
		if b.reason == "" || !waits {
			b.reason, b.message = c.WaitingReason, c.Message
		}
		if s.setbacks == nil {
			s.setbacks = map[setbackKey]setback{}
		}
		s.setbacks[key] = b
	}
}

// setbackOf is what is known of one container's setbacks at one step.
type setbackOf struct {
	setbackKey
	setback
	// said is how many the kubelet's events tell, saidLast when the latest was, in
	// whole seconds.
	said     int32
	saidLast time.Time
}

func (b *setbackOf) count() int32 { return max(b.failed, b.said) }

// hear takes an event, if it is of one of these attempts.
func (b *setbackOf) hear(r Remark) {
	if r.Container != b.container || !b.isToldBy(r) {
		return
	}
	b.said += max(1, r.Count)
	if r.Time.After(b.saidLast) {
		b.saidLast = r.Time
	}
}

const pullFailed = "Failed to pull image "

// isToldBy is true for the one event of each attempt that is counted: each has others
// beside it (pkg/kubelet/images/image_manager.go, kuberuntime/kuberuntime_container.go).
func (b *setbackOf) isToldBy(r Remark) bool {
	if b.step != "ImagePull" {
		return r.Reason == "Failed" && b.message != "" && r.Message == "Error: "+b.message
	}
	return r.Reason == "Failed" && strings.HasPrefix(r.Message, pullFailed) || r.Reason == "ErrImageNeverPull" || r.Reason == "InspectFailed"
}

// setbacksOf are the setbacks of the pod's containers, in their order.
func setbacksOf(s *seen) []setbackOf {
	var all []setbackOf
	for _, c := range s.pod.Containers {
		for _, step := range setbackSteps {
			b := setbackOf{setbackKey: setbackKey{c.Name, step}}
			b.setback = s.setbacks[b.setbackKey]
			for _, r := range s.remarks {
				b.hear(r)
			}
			if b.count() > 0 {
				all = append(all, b)
			}
		}
	}
	return all
}
