// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
)

// held are events that wait until it is known whether their pod is being born, by the
// pod's UID.
type held struct {
	of map[string][]attribution.Attributed
	// all is how many they are.
	all int
}

const (
	// heldMax bounds the events that wait, of one pod.
	heldMax = 512
	// heldMaxAll bounds those of all pods together.
	heldMaxAll = 16 * 512
	// heldFor is how long they wait at most.
	heldFor = uint64(30 * time.Second)
)

// add lets an event wait. It is false where there is no room, or its pod's have waited
// for too long.
func (h *held) add(a attribution.Attributed) bool {
	uid := a.Who.PodUID
	waiting := h.of[uid]
	if h.all == heldMaxAll || len(waiting) == heldMax || h.late(waiting, a.Time) {
		return false
	}
	h.of[uid] = append(waiting, a)
	h.all++
	return true
}

func (h *held) late(waiting []attribution.Attributed, now uint64) bool {
	return len(waiting) > 0 && now > waiting[0].Time+heldFor
}

// take gives a pod's away.
func (h *held) take(uid string) []attribution.Attributed {
	all := h.of[uid]
	h.all -= len(all)
	delete(h.of, uid)
	return all
}

// old are the pods whose events have waited for too long.
func (h *held) old(now uint64) []string {
	var all []string
	for uid, waiting := range h.of {
		if h.late(waiting, now) {
			all = append(all, uid)
		}
	}
	return all
}
