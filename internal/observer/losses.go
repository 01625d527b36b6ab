// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// totals at a time. What was lost is read ten times a second, events can come
// later than they happened: the loss is that of the last reading before.
func (e *Engine) totals(at uint64) birth.Totals {
	t := birth.Totals{Mark: e.ledger.Mark()}
	for _, r := range e.losses {
		if r.at > at {
			break
		}
		t.Lost = r.loss
	}
	return t
}

// lossReading is what had been lost at a time.
type lossReading struct {
	at   uint64
	loss event.Loss
}

// lossesMax bounds the readings that are kept: one for each change.
const lossesMax = 256

// lossesAtRest is how often what was lost is read while no birth is under way or expected.
const lossesAtRest = uint64(time.Second)

func (e *Engine) readLosses(now uint64) {
	if e.atRest() && now-e.lossesRead < lossesAtRest {
		return
	}
	e.lossesRead = now
	loss, err := e.kernel.Lost()
	if err != nil {
		e.kernelError("read losses", err)
		return
	}
	e.loss = loss
	if n := len(e.losses); n == 0 || e.losses[n-1].loss != loss {
		e.losses = append(e.losses, lossReading{now, loss})
		e.losses = e.losses[max(0, len(e.losses)-lossesMax):]
	}
}
