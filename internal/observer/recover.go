// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"errors"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// learn enters a cgroup that is found, and was not heard of.
func (e *Engine) learn(id, pointer uint64, path string) {
	if known, ok := e.dictionary.Lookup(id); ok && known.Path == path && known.Dead == 0 {
		return
	}
	e.ledger.Learn(id, pointer, path)
	if known, ok := e.dictionary.Lookup(id); ok && known.Place.IsPod() && !e.config.Birth.WithoutAPI {
		e.unheard[known.Place.PodUID] = true
	}
}

// The cgroups are walked again once nothing was lost for walkAfter, and every
// walkLatest while the loss goes on. While a pod is awaited, of whose birth nothing was
// heard, it is sooner: its cgroup may be among what was lost, and each moment until it
// is found is missing from its certificate.
const (
	walkAfter     = uint64(time.Second)
	walkLatest    = uint64(10 * time.Second)
	awaitedAfter  = uint64(300 * time.Millisecond)
	awaitedLatest = uint64(time.Second)
)

// lostOfCgroups is how much was lost of which cgroups may have been.
func lostOfCgroups(l event.Loss) uint64 { return l.Events + l.Overflows }

// walkDue is true once the cgroups are to be walked again.
func (e *Engine) walkDue(now uint64) bool {
	late := now-e.walkedAt >= walkLatest
	switch {
	case e.unwalked:
		return late // what changes so often that it could not be walked may by then not
	case lostOfCgroups(e.loss) == e.walked:
		return false
	}
	quiet := now - e.losses[len(e.losses)-1].at
	if e.book.Awaits(now) {
		return quiet >= awaitedAfter || now-e.lostSince() >= awaitedLatest
	}
	return late || quiet >= walkAfter
}

// lostSince is when something was first seen to be lost since the last walk.
func (e *Engine) lostSince() uint64 {
	for _, r := range e.losses {
		if lostOfCgroups(r.loss) > e.walked {
			return r.at
		}
	}
	return e.losses[len(e.losses)-1].at
}

// walkAgain puts right what is known of the cgroups after events were lost: that
// one was made, or removed, may have been among them. Of a walk that did not find all
// nothing is known of what it did not find, and there is another one.
func (e *Engine) walkAgain(now uint64) {
	if !e.walkDue(now) {
		return
	}
	found := map[uint64]bool{}
	err := e.kernel.Walk(func(id, pointer uint64, path string) {
		found[id] = true
		e.learn(id, pointer, path)
	})
	e.walked, e.walkedAt, e.unwalked = lostOfCgroups(e.loss), now, false
	switch {
	case err == nil:
		e.removeOthers(found, now)
	case !errors.Is(err, event.ErrUnread):
		e.unwalked = true
		e.kernelError("walk all cgroups", err)
	}
	e.takeUpAll(now)
}

// removeOthers takes that all cgroups are gone that were not found.
func (e *Engine) removeOthers(found map[uint64]bool, now uint64) {
	for _, gone := range e.dictionary.Without(found) {
		removed := event.Event{Kind: event.CgroupRmdir, Time: now, Cgroup: gone}
		e.removed(removed)
		e.ledger.Hear(removed)
	}
}

// Earlier takes the pods that an earlier run has told of, by UID, with the names of their
// certificates. Of the others those that are being born by now are followed from here.
func (e *Engine) Earlier(names map[string][]string, now uint64) {
	e.earlier = true
	e.book.Certified(names)
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
	if uid := a.Who.PodUID; !e.unheard[uid] || !e.held.add(a) {
		e.drop(uid)
		e.forget(a.Session)
	}
}

// drop forgets what waits.
func (e *Engine) drop(uid string) {
	for _, a := range e.held.take(uid) {
		e.forget(a.Session)
	}
}

// takeUp follows a birth from here whose beginning was not heard, once it is known of
// which an earlier run has told.
func (e *Engine) takeUp(uid string, now uint64) {
	if !e.unheard[uid] || !e.earlier {
		return
	}
	if _, told := e.book.Pod(uid); !told {
		return
	}
	delete(e.unheard, uid)
	if !e.book.BeginLate(uid, now, e.totals(now)) {
		e.drop(uid)
		return
	}
	for _, a := range e.held.take(uid) {
		e.hear(a)
	}
}
