// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// change is a change of a container's own limit that is being measured.
type change struct {
	config   Config
	at       metav1.MicroTime
	seen     uint64
	from, to int64 // millicores, 0 is no limit
	// base is the sample from which on is measured, nil before.
	base *Sample
	// figures of a recording that lies within what is measured.
	figures *figures
}

// ended is an episode that is over, of which only a change may still be written.
type ended struct {
	whisper *v1alpha1.KernelWhisper
	at      uint64
	change  *change
}

// change that is being measured, of the open episode or of the one before it.
func (t *track) change() *change {
	switch {
	case t.episode != nil && t.episode.change != nil:
		return t.episode.change
	case t.ended != nil:
		return t.ended.change
	}
	return nil
}

// changes looks for a change of the limit, and measures the one that was seen.
// It must see a sample before the track takes it.
func (d *Detector) changes(t *track, s Sample) []*v1alpha1.KernelWhisper {
	var told []*v1alpha1.KernelWhisper
	if t.ended != nil && t.ended.change == nil && s.time()-t.ended.at > uint64(d.config.EndedFor) {
		t.ended = nil
	}
	limit := s.limit()
	if t.known && limit != t.limit {
		if t.limit > 0 { // one that was not written yet is no other limit
			t.limitSince = s.time()
		}
		told = append(told, d.changed(t, s, t.limit)...)
	}
	t.limit, t.known = limit, true
	return append(told, d.measure(t, s)...)
}

// changed begins to measure a change, if there is a whisper that it belongs to.
func (d *Detector) changed(t *track, s Sample, from int64) []*v1alpha1.KernelWhisper {
	c := &change{config: d.config, at: metav1.NewMicroTime(d.config.Wall(s.time())), seen: s.time(), from: from, to: s.limit()}
	switch {
	case t.episode != nil:
		t.episode.change = c
		t.episode.spec.Change = c.told(nil)
		return []*v1alpha1.KernelWhisper{t.episode.whisper()}
	case t.ended != nil:
		t.ended.change = c
		return []*v1alpha1.KernelWhisper{t.ended.tell(c.told(nil))}
	}
	return nil
}

// measure ends the measurement of a change once it is due.
func (d *Detector) measure(t *track, s Sample) []*v1alpha1.KernelWhisper {
	c := t.change()
	if c == nil || !c.due(s, d.waiting(s.Container.ID)) {
		return nil
	}
	measured := truth(*c.base, s)
	c.figures.write(&measured)
	if t.episode != nil && t.episode.change == c {
		t.episode.change = nil
		t.episode.spec.Change = c.told(&measured)
		return []*v1alpha1.KernelWhisper{t.episode.whisper()}
	}
	w := t.ended.tell(c.told(&measured))
	t.ended = nil // from now on it is immutable
	return []*v1alpha1.KernelWhisper{w}
}

// due is true once enough was measured at the new limit, and listened to as well
// where that can be waited for. What is left of the time before the change
// (debts, a backlog) is not measured, nor anything across a change at another
// level. Where nothing ran under the new limit there is nothing to measure yet: of no
// periods no share was throttled.
func (c *change) due(s Sample, listening bool) bool {
	switch {
	case s.time()-c.seen < uint64(c.config.Settle):
		return false
	case c.base == nil || !follows(*c.base, s):
		c.base, c.figures = &s, nil
		return false
	case c.to > 0 && difference(*c.base, s, 0).periods == 0:
		return false
	case s.time()-c.seen >= uint64(c.config.MeasureMax):
		return true
	}
	return s.time()-c.base.time() >= uint64(c.config.MeasureFor) && !listening
}

// wantsRecording is true once it is the time that is measured.
func (c *change) wantsRecording() bool { return c.base != nil && c.figures == nil }

// before is true for a recording that was made at the limit before the change.
func (c *change) before(h Heard) bool {
	own, _ := h.own()
	return millicores(own.Quota, own.Period) == c.from
}

// hear takes a recording that lies within the time that is measured.
func (c *change) hear(h Heard, config Config) {
	if c.base == nil || h.Recording.From+uint64(time.Second) < c.base.time() {
		return
	}
	s := summarize(h.Recording, c.base.Container, config.Wall, config.Neighbor)
	c.figures = &s.figures
}

func (c *change) told(measured *v1alpha1.KernelTruth) *v1alpha1.ResourceChange {
	return &v1alpha1.ResourceChange{
		Time: c.at, FromMillicores: c.from, ToMillicores: c.to, Measured: measured,
	}
}

// tell is the ended whisper with a change: nothing else of it differs.
func (e *ended) tell(c *v1alpha1.ResourceChange) *v1alpha1.KernelWhisper {
	w := e.whisper.DeepCopy()
	w.Spec.Change = c
	return w
}

// finish ends the episode, and keeps what a later change needs.
func (d *Detector) finish(t *track, now uint64) *v1alpha1.KernelWhisper {
	w := t.episode.end()
	t.episode = nil
	if w.Spec.Change == nil || w.Spec.Change.Measured == nil {
		t.ended = &ended{whisper: w, at: now}
		d.boundEnded()
	}
	return w
}

// boundEnded forgets the oldest ended episode where there are too many.
func (d *Detector) boundEnded() {
	var oldest *track
	n := 0
	for _, t := range d.tracks {
		if t.ended == nil {
			continue
		}
		n++
		if oldest == nil || t.ended.at < oldest.ended.at {
			oldest = t
		}
	}
	if n > d.config.EndedMax {
		oldest.ended = nil
	}
}
