// SPDX-License-Identifier: Apache-2.0

package observer

import "github.com/kernel-gossip/kernel-gossip/internal/birth"

// armForBirths hears system calls while a birth is under way or expected.
func (e *Engine) armForBirths(now uint64) {
	if e.book.Expecting(now) {
		e.idleFrom = 0
		if e.armedAt == 0 {
			e.arm()
		}
		return
	}
	if e.armedAt == 0 {
		return
	}
	if e.idleFrom == 0 {
		e.idleFrom = now
	}
	if now-e.idleFrom >= uint64(e.config.DisarmAfter) {
		if err := e.kernel.Disarm(); err != nil {
			e.kernelError("stop hearing system calls", err)
		}
		e.armedAt = 0
		e.deaf = append(e.deaf, birth.Span{From: now})
		e.deaf = e.deaf[max(0, len(e.deaf)-deafMax):]
	}
}

// deafMax bounds the times in which system calls were not heard that are kept:
// births that are under way ask for the latest few.
const deafMax = 64

func (e *Engine) arm() {
	at, err := e.kernel.Arm()
	if err != nil {
		e.kernelError("hear system calls", err)
		return
	}
	e.armedAt = at
	e.deaf[len(e.deaf)-1].To = at
}
