// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// Births ends the births that are due and listens no longer than needed.
func (e *Engine) Births(now uint64) {
	e.readLosses(now)
	e.walkAgain(now)
	e.endBirths(now)
	for _, uid := range e.book.Telling(now) {
		if certificate, ok := e.book.Interim(uid, e.closing(uid, now, e.counts(uid))); ok {
			e.tell(certificate)
		}
	}
	for _, uid := range e.book.Late(now) {
		if certificate, ok := e.book.Finish(uid); ok && !e.optedOut(uid) {
			e.tell(certificate)
		}
	}
	if e.ask != nil {
		for _, pod := range e.book.Asking(now) {
			e.ask(pod)
		}
	}
	e.armForBirths(now)
}

// endBirths ends those that are due, have come to rest and been read. One that goes on
// after all comes to rest anew.
func (e *Engine) endBirths(now uint64) {
	resting := map[string]end{}
	for _, uid := range e.book.Due(now) {
		counts := e.counts(uid)
		switch {
		case !e.book.Resting(uid, workloadSyscalls(counts), now):
		case e.told(uid, now):
			e.closeBirth(uid, now, counts)
		default:
			resting[uid] = e.ends[uid]
		}
	}
	e.ends = resting
}

// counts reads what the sessions of a birth have counted by now.
func (e *Engine) counts(uid string) map[uint64]event.SessionCounts {
	all := map[uint64]event.SessionCounts{}
	for _, id := range e.book.Sessions(uid) {
		counts, err := e.kernel.Counts(id)
		if err != nil {
			e.kernelError("read a birth's counts", err)
		}
		all[id] = counts
	}
	return all
}

func workloadSyscalls(all map[uint64]event.SessionCounts) uint64 {
	var sum uint64
	for _, counts := range all {
		for _, n := range counts.Workload.Syscalls {
			sum += n
		}
	}
	return sum
}

func (e *Engine) closeBirth(uid string, now uint64, counts map[uint64]event.SessionCounts) {
	certificate, ok := e.book.Close(uid, e.closing(uid, now, counts))
	delete(e.ends, uid)
	for id := range counts {
		e.forget(id)
	}
	if !ok {
		e.stats.BirthsNameless++
		e.log.Warn("a birth has no certificate: nobody told which pod of this node it is", "podUID", uid)
		return
	}
	e.stats.Births[certificate.Spec.Outcome]++
	e.tell(certificate)
}

func (e *Engine) tell(c *v1alpha1.PodBirthCertificate) {
	for _, s := range e.sinks {
		s.Certificate(c)
	}
}

func (e *Engine) closing(uid string, now uint64, counts map[uint64]event.SessionCounts) birth.Closing {
	c := birth.Closing{
		Now: now, Unread: e.ends[uid].unread, Counts: counts, Window: e.window(uid), Lost: e.totals(now).Lost,
		Deaf: slices.Clone(e.deaf), Name: e.ledger.Name(uid),
	}
	if n := len(c.Deaf); n > 0 && c.Deaf[n-1].To == 0 {
		c.Deaf[n-1].To = now
	}
	return c
}
