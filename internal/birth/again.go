// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A static pod has the same UID whenever the same file is put back. The kubelet then makes
// its cgroup and all its containers anew, and a mirror where the one before has gone: the
// pod is born again, and that birth has a certificate of its own. What the kubelet still
// tells of the containers before it (for about a minute they are its latest, and count as
// restarts) is not of this birth.

// life is what is kept of a pod that has a certificate: of each that an earlier run has told
// of, and of static pods of this run.
type life struct {
	// births is how many there were.
	births int
	// over is true once its cgroup has gone since the latest.
	over bool
	// had are the ids of the containers that the kubelet told of last, by name.
	had map[string][]string
	// restarts are the kubelet's counts when it first told of a container since: it may
	// count on, and may not.
	restarts map[string]int32
}

// Certified takes of which pods an earlier run has told, by UID, with the names of their
// certificates.
func (b *Book) Certified(names map[string][]string) {
	for uid, all := range names {
		l := &life{}
		for _, name := range all {
			l.births = max(l.births, ordinalIn(name, uid))
		}
		b.certified[uid] = l
	}
}

// certify notes that a static pod's birth was told.
func (b *Book) certify(current *birth) {
	l := b.certified[current.uid]
	if l == nil {
		l = &life{}
		b.certified[current.uid] = l
	}
	l.births = max(l.births, current.ordinal())
}

// forgetPod forgets what the API server has told of a pod, but for what may concern
// another birth.
func (b *Book) forgetPod(uid string) {
	if l, s := b.certified[uid], b.pods[uid]; l != nil && s != nil {
		l.remember(&s.pod)
	}
	delete(b.pods, uid)
}

// ordinal is which of the pod's births it is, from 1.
func (c *birth) ordinal() int {
	if c.before == nil {
		return 1
	}
	return c.nth
}

// endLife takes that the cgroup of a pod has gone that is not being born.
func (b *Book) endLife(uid string) {
	l := b.certified[uid]
	if l == nil {
		return
	}
	l.over = true
	if s := b.pods[uid]; s != nil {
		s.born = true
		l.remember(&s.pod)
	}
}

// bearAgain begins another birth of a pod whose life before is over.
func (b *Book) bearAgain(current *birth, l *life) {
	l.over, l.restarts = false, map[string]int32{}
	current.before, current.nth = l, l.births+1
	if waits := b.late[current.uid]; waits != nil {
		waits.again = true // what the kubelet says from here on may be of this one
	}
	s := b.pods[current.uid]
	if s == nil {
		return
	}
	l.remember(&s.pod)
	if s.pod.Deleted {
		delete(b.pods, current.uid) // there will be another mirror
		return
	}
	fresh := newSeen(l.leaveOut(s.pod), 0)
	fresh.epoch = current.epoch
	if !s.born {
		fresh.first = s.first // it was told for this birth
	}
	b.pods[current.uid] = fresh
}

// remember keeps what the kubelet has told of the pod's containers.
func (l *life) remember(p *Pod) {
	for _, c := range p.Containers {
		var ids []string
		for _, id := range []string{c.ID, c.Ended.id(), c.Before.id()} {
			if id != "" {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if l.had == nil {
			l.had = map[string][]string{}
		}
		l.had[c.Name] = ids
	}
}

// id of the container that has ended, empty where nobody told.
func (e *Ended) id() string {
	if e == nil {
		return ""
	}
	return e.ID
}

// withoutBefore is what a mirror tells of its pod, without what is of the pod's lives before
// this birth.
func (c *birth) withoutBefore(p Pod) Pod {
	if c == nil || c.before == nil {
		return p
	}
	return c.before.leaveOut(p)
}

// leaveOut takes out of a pod's state what is of its lives before. As long as the kubelet
// tells of a container from before, the pod has not become Ready, nor ended, since.
func (l *life) leaveOut(p Pod) Pod {
	p.FirstStarted = time.Time{}
	p.Containers = slices.Clone(p.Containers)
	for i := range p.Containers {
		c := &p.Containers[i]
		had := l.had[c.Name]
		if slices.Contains(had, cmp.Or(c.ID, c.Ended.id())) {
			*c = c.unmade()
			p.Ready, p.ReadySince, p.Phase, p.Reason, p.Message = false, time.Time{}, "Pending", "", ""
			continue
		}
		if slices.Contains(had, c.Ended.id()) {
			c.Ended = nil
		}
		if slices.Contains(had, c.Before.id()) {
			c.Before = nil
		}
		if len(had) > 0 && c.ID != "" {
			if _, told := l.restarts[c.Name]; !told {
				l.restarts[c.Name] = c.Restarts
			}
			c.Restarts = max(0, c.Restarts-l.restarts[c.Name])
		}
	}
	return p
}

// unmade is the container before it is made: of what it waits for only that is kept for
// which it cannot be.
func (c *Container) unmade() Container {
	n := Container{Name: c.Name, Init: c.Init, Sidecar: c.Sidecar, CPURequest: c.CPURequest}
	if slices.Contains(setbackSteps, c.failingStep()) {
		n.WaitingReason, n.Message = c.WaitingReason, c.Message
	}
	return n
}

// ofThisBirth leaves out what the kubelet has said of the lives before.
func (b *Book) ofThisBirth(current *birth, remarks []Remark) []Remark {
	if current == nil || current.before == nil {
		return remarks
	}
	began := b.config.Wall(current.began).Truncate(time.Second)
	var all []Remark
	for _, r := range remarks {
		if r.Time.Before(began) {
			continue
		}
		if r.First.Before(began) {
			r.First, r.Count = r.Time, 1 // how many of them are of this birth it does not say
		}
		all = append(all, r)
	}
	return all
}

// ordinalIn is which birth of the pod a certificate of that name is about, from 1: those
// after the first have the number at their end, see Name.
func ordinalIn(name, uid string) int {
	end := "-" + shortUID(uid) + "-"
	if at := strings.LastIndex(name, end); at >= 0 {
		if n, err := strconv.Atoi(name[at+len(end):]); err == nil && n > 1 {
			return n
		}
	}
	return 1
}
