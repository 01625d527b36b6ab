// SPDX-License-Identifier: Apache-2.0

package observer

// optedOut is true for a pod of which an annotation forbids to tell.
func (e *Engine) optedOut(uid string) bool {
	pod, ok := e.book.Pod(uid)
	return ok && pod.OptedOut
}

// endObserving ends what is under way of a pod that has opted out: its birth is not
// heard any more, and what goes on of its containers' CPU time is told to be over. It
// must be called before the book is told.
func (e *Engine) endObserving(uid string) {
	for _, session := range e.book.Sessions(uid) {
		e.forget(session)
	}
	e.drop(uid)
	delete(e.ends, uid)
	if e.optedOut(uid) {
		return // its containers are not read since
	}
	for _, c := range e.dictionary.Containers() {
		if c.Place.PodUID == uid {
			e.containerGone(c.Place.ContainerID)
		}
	}
}
