// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/cgroup"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// learn enters a cgroup that is found, and was not heard of.
func (e *Engine) learn(id, pointer uint64, path string) {
	if known, ok := e.dictionary.Lookup(id); ok && known.Path == path && known.Dead == 0 {
		return
	}
	e.ledger.Learn(id, pointer, path)
	if place := cgroup.ParsePath(path); place.IsPod() && !e.config.Birth.WithoutAPI {
		e.unheard[place.PodUID] = true
	}
}

// The cgroups are walked again once nothing was lost for walkAfter, and every
// walkLatest while the loss goes on.
const (
	walkAfter  = uint64(time.Second)
	walkLatest = uint64(10 * time.Second)
)

// walkAgain puts right what is known of the cgroups after events were lost: that
// one was made, or removed, may have been among them.
func (e *Engine) walkAgain(now uint64) {
	if e.loss.Events == e.walked {
		return
	}
	if latest := e.losses[len(e.losses)-1].at; now-latest < walkAfter && now-e.walkedAt < walkLatest {
		return
	}
	found := map[uint64]bool{}
	err := e.kernel.Walk(func(id, pointer uint64, path string) {
		found[id] = true
		e.learn(id, pointer, path)
	})
	if err != nil {
		e.kernelError("walk the cgroups after a loss", err)
		return
	}
	e.walked, e.walkedAt = e.loss.Events, now
	for _, gone := range e.dictionary.Without(found) {
		removed := event.Event{Kind: event.CgroupRmdir, Time: now, Cgroup: gone}
		e.removed(removed)
		e.ledger.Hear(removed)
	}
	e.takeUpAll(now)
}

// Earlier takes the pods that an earlier run has told of. Of the others those that
// are being born by now are followed from here.
func (e *Engine) Earlier(uids []string, now uint64) {
	e.certified = map[string]bool{}
	for _, uid := range uids {
		e.certified[uid] = true
	}
	e.takeUpAll(now)
	e.armForBirths(now)
}

func (e *Engine) takeUpAll(now uint64) {
	for uid := range e.unheard {
		e.takeUp(uid, now)
	}
}

// hear gives an event to its birth, or lets it wait until it is known whether there
// is one. A session that is of no birth is forgotten.
func (e *Engine) hear(a attribution.Attributed) {
	if e.book.Hear(a, e.totals) || a.Session == 0 {
		return
	}
	uid := a.Who.PodUID
	waiting := e.held[uid]
	if !e.unheard[uid] || len(waiting) == heldMax || len(waiting) > 0 && a.Time-min(a.Time, waiting[0].Time) > heldFor {
		e.drop(uid)
		e.forget(a.Session)
		return
	}
	e.held[uid] = append(waiting, a)
}

// heldMax bounds the events that wait, of one pod, and heldFor for how long.
const (
	heldMax = 512
	heldFor = uint64(30 * time.Second)
)

// drop forgets what waits.
func (e *Engine) drop(uid string) {
	for _, a := range e.held[uid] {
		e.forget(a.Session)
	}
	delete(e.held, uid)
}

// takeUp follows a birth from here whose beginning was not heard. What an earlier
// run has told of a pod says more than what is heard from here on.
func (e *Engine) takeUp(uid string, now uint64) {
	if !e.unheard[uid] || e.certified == nil {
		return
	}
	if _, told := e.book.Pod(uid); !told {
		return
	}
	delete(e.unheard, uid)
	if e.certified[uid] || !e.book.BeginLate(uid, now, e.totals(now)) {
		e.drop(uid)
		return
	}
	for _, a := range e.held[uid] {
		e.hear(a)
	}
	delete(e.held, uid)
}
