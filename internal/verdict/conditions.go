// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// SilentAfter is how long an episode may go without word from its observer
// before Active becomes Unknown: the node or its observer may be gone, and
// nobody else can say whether the container still suffers.
const SilentAfter = 10 * time.Minute

// Reasons of conditions.
const (
	// ReasonJudged: the observed generation has a verdict.
	ReasonJudged = "Judged"
	// ReasonEpisodeLasts: the observer has not ended the episode.
	ReasonEpisodeLasts = "EpisodeLasts"
	// ReasonEpisodeEnded: the observer has set spec.endTime.
	ReasonEpisodeEnded = "EpisodeEnded"
	// ReasonObserverSilent: spec.lastSeenTime is older than SilentAfter and
	// spec.endTime is not set.
	ReasonObserverSilent = "ObserverSilent"
)

// conditionSet builds a status's conditions on top of those it has, so that
// the time of a transition survives.
type conditionSet struct {
	conditions []metav1.Condition
	generation int64
	now        metav1.Time
}

func newConditionSet(existing []metav1.Condition, generation int64, now time.Time) *conditionSet {
	ours := slices.DeleteFunc(slices.Clone(existing), func(c metav1.Condition) bool {
		return c.Type != v1alpha1.ConditionActive && c.Type != v1alpha1.ConditionResolved &&
			c.Type != v1alpha1.ConditionAssessed && c.Type != v1alpha1.ConditionResized
	})
	// The API keeps whole seconds; a finer time would differ from its own echo.
	return &conditionSet{conditions: ours, generation: generation, now: metav1.NewTime(now.Truncate(time.Second))}
}

func (s *conditionSet) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(&s.conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: message,
		ObservedGeneration: s.generation, LastTransitionTime: s.transition(kind, status),
	})
}

func (s *conditionSet) transition(kind string, status metav1.ConditionStatus) metav1.Time {
	if c := meta.FindStatusCondition(s.conditions, kind); c != nil && c.Status == status {
		return c.LastTransitionTime
	}
	return s.now
}

func whisperConditions(w *v1alpha1.KernelWhisper, basis string, now time.Time) []metav1.Condition {
	set := newConditionSet(w.Status.Conditions, w.Generation, now)
	active, resolved, reason, message := episodeState(&w.Spec, now)
	set.set(v1alpha1.ConditionActive, active, reason, message)
	set.set(v1alpha1.ConditionResolved, resolved, reason, message)
	set.set(v1alpha1.ConditionAssessed, metav1.ConditionTrue, ReasonJudged, "Severity follows from "+basis+".")
	return set.conditions
}

func episodeState(spec *v1alpha1.KernelWhisperSpec, now time.Time) (active, resolved metav1.ConditionStatus, reason, message string) {
	seen := spec.LastSeenTime.UTC().Format(time.RFC3339)
	switch {
	case spec.EndTime != nil:
		return metav1.ConditionFalse, metav1.ConditionTrue, ReasonEpisodeEnded,
			"The episode ended at " + spec.EndTime.UTC().Format(time.RFC3339) + "."
	case SilentFor(spec, now) >= SilentAfter:
		return metav1.ConditionUnknown, metav1.ConditionUnknown, ReasonObserverSilent,
			"The observer has not written since " + seen + " and has not ended the episode."
	default:
		return metav1.ConditionTrue, metav1.ConditionFalse, ReasonEpisodeLasts,
			"The counters last showed it at " + seen + "."
	}
}

// SilentFor is the time since the observer last saw the episode.
func SilentFor(spec *v1alpha1.KernelWhisperSpec, now time.Time) time.Duration {
	return now.Sub(spec.LastSeenTime.Time)
}
