// SPDX-License-Identifier: Apache-2.0

package attribution

import "maps"

// Knows tells whether a session was heard to open and has not been forgotten.
func (l *Ledger) Knows(id uint64) bool { return l.sessions[id] != nil }

// Forget drops a session that is over.
func (l *Ledger) Forget(id uint64) {
	if s := l.sessions[id]; s != nil {
		l.give(s)
	}
}

// give gives up a session, with what waits for its name.
func (l *Ledger) give(s *session) {
	l.waiting -= uint64(len(s.buffer))
	for _, h := range s.buffer {
		l.drop(s.role, h)
	}
	delete(l.sessions, s.id)
}

// Sweep gives up sessions that stayed without a name, and returns them; it
// also forgets what has been gone for long.
func (l *Ledger) Sweep(now uint64) []uint64 {
	var given []uint64
	for id, s := range l.sessions {
		if s.pod == "" && now-s.opened > unresolvedAfter {
			l.give(s)
			given = append(given, id)
		}
	}
	for id, c := range l.containers {
		if (c.released || !c.hasGroup) && now-c.dead > rememberDead {
			delete(l.containers, id)
		}
	}
	l.sweepMounts(now)
	if now > rememberDead {
		l.dictionary.Sweep(now - rememberDead)
	}
	l.sweepNames()
	return given
}

// sweepNames forgets what pods are called of which nothing else is known any more.
func (l *Ledger) sweepNames() {
	if len(l.names) == 0 {
		return
	}
	known := l.dictionary.Pods()
	for _, c := range l.containers {
		known[c.pod] = true
	}
	maps.DeleteFunc(l.names, func(uid string, _ PodName) bool { return !known[uid] })
}
