// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestNothingRecorded(t *testing.T) {
	for _, r := range []event.Recording{{}, made(nil, 0), made(nil, 5_000*ms), made(periodic(10*ms, 100*ms, 300*ms, 0), 0)} {
		if out := Replay(r, Config{}); out.Best != -1 || len(out.Curve) > 16 {
			t.Errorf("%+v", out)
		}
		p := Predict(r, 10*ms, Config{})
		if math.IsNaN(p.Throttled) || math.IsNaN(p.High) || p.Low > p.Throttled || p.High < p.Throttled {
			t.Errorf("%+v", p)
		}
	}
}

// odd is a recording without sense: threads that wake each other before they were
// born, bursts that overlap, times outside the recording.
func odd(rng *rand.Rand) event.Recording {
	wakers := []event.Waker{event.WakerInterrupt, event.WakerOutside, event.WakerOwn, event.WakerBorn, event.WakerNone, "?"}
	var list []event.Burst
	for range rng.IntN(300) {
		at := 1000*ms + uint64(rng.IntN(3_000*ms))
		long := uint64(rng.IntN(200 * ms))
		list = append(list, event.Burst{
			TID: uint32(rng.IntN(5)), Woken: at, Ended: at + long, CPU: uint64(rng.Int64N(int64(long) + 1)),
			Parked: uint64(rng.IntN(100 * ms)), Queued: uint64(rng.IntN(100 * ms)), Waker: wakers[rng.IntN(len(wakers))],
			WakerTID: uint32(rng.IntN(5)), Slept: int32(rng.IntN(300)), GoesOn: rng.IntN(3) == 0,
		})
	}
	r := made(list, uint64(rng.IntN(4_000*ms)))
	r.CPUs = rng.IntN(4)
	r.Before = append(r.Before, event.Group{Quota: uint64(rng.IntN(200 * ms)), Period: uint64(rng.IntN(2) * 50 * ms), Burst: 7 * ms})
	r.After = append(r.After, event.Group{Quota: 1, Usage: 3 * ms, Periods: 3, Throttled: 3})
	r.Before[0].Quota = uint64(rng.IntN(2) * rng.IntN(100*ms))
	return r
}

func TestRecordingsWithoutSense(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		r := odd(rng)
		out := Replay(r, Config{})
		for _, p := range out.Curve {
			if !(p.Low <= p.Throttled && p.Throttled <= p.High && p.Low >= 0 && p.High <= 1) || math.IsNaN(p.Usage) {
				t.Errorf("%+v", p)
			}
		}
	}
}
