// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

const ms = 1_000_000

// made is a recording made by hand: 20 s on two CPUs at 1 core.
func made(bursts []event.Burst, to uint64) event.Recording {
	g := event.Group{Quota: 100 * ms, Period: 100 * ms, Expires: 1000*ms + 50*ms}
	h := g
	h.Time = to
	return event.Recording{
		From: 1000 * ms, To: 1000*ms + to, CPUs: 2, Bursts: bursts,
		Before: []event.Group{g}, After: []event.Group{h}, Threads: 1, RunnableMax: 1,
	}
}

// periodic is one thread that a timer wakes every step for cpu.
func periodic(cpu, step, length, phase uint64) []event.Burst {
	var list []event.Burst
	for t := phase; t+cpu < length; t += step {
		list = append(list, event.Burst{
			TGID: 10, TID: 10, Woken: 1000*ms + t, Ended: 1000*ms + t + cpu, CPU: cpu,
			Switches: 1, Waker: event.WakerInterrupt, Slept: 230,
		})
	}
	return list
}

func TestOnePeriodicTask(t *testing.T) {
	// 30 ms each 100 ms, woken 20 ms after a refill (refills at 50 ms).
	r := made(periodic(30*ms, 100*ms, 20_000*ms, 70*ms), 20_000*ms)
	for _, c := range []struct {
		quota uint64
		want  float64
	}{
		{100 * ms, 0}, {36 * ms, 0}, {25 * ms, 1}, {20 * ms, 1}, {40 * ms, 0},
	} {
		p := Predict(r, c.quota, Config{})
		if math.Abs(p.Throttled-c.want) > 0.01 {
			t.Errorf("quota %d ms: throttled %.3f, want %.2f", c.quota/ms, p.Throttled, c.want)
		}
		if p.Low > p.Throttled || p.High < p.Throttled {
			t.Errorf("interval %f..%f without %f", p.Low, p.High, p.Throttled)
		}
	}
	// Every other period, with 24 ms, a burst is held from when 25 ms have run (to the next tick) to the refill.
	r = made(periodic(30*ms, 200*ms, 20_000*ms, 70*ms), 20_000*ms)
	p := Predict(r, 24*ms, Config{})
	if p.StallP99 < 45*ms || p.StallP99 > 60*ms {
		t.Errorf("stall %s, want about 53 ms", p.StallP99)
	}
	if math.Abs(p.Usage-0.15) > 0.003 {
		t.Errorf("usage %f", p.Usage)
	}
}

func TestALoopThatNeverSleeps(t *testing.T) {
	var list []event.Burst
	for t := uint64(0); t < 10_000*ms; t += 100 * ms {
		list = append(list, event.Burst{TID: 10, Woken: 1000*ms + t, Ended: 1000*ms + t + 100*ms, CPU: 20 * ms, Parked: 80 * ms,
			Waker: event.WakerNone, Slept: -1, GoesOn: true})
	}
	r := made(list, 10_000*ms)
	r.Before[0].Quota, r.After[0].Quota = 20*ms, 20*ms
	r.After[0].Periods, r.After[0].Throttled = 100, 100
	for quota, want := range map[uint64]float64{20 * ms: 1, 50 * ms: 1, 90 * ms: 1, 110 * ms: 0} {
		if p := Predict(r, quota, Config{}); math.Abs(p.Throttled-want) > 0.02 {
			t.Errorf("quota %d ms: %f, want %f", quota/ms, p.Throttled, want)
		}
	}
	out := Replay(r, Config{})
	if !out.LowerBound || out.Best < 0 || out.Curve[out.Best].Quota < 95*ms {
		t.Errorf("%+v", out)
	}
}

// A runtime stops its threads for some microseconds: what they run wants the CPU
// all the same. A thread that somebody outside wakes as often is a server.
func TestALoopThatDrawsBreath(t *testing.T) {
	loop := func(waker event.Waker) event.Recording {
		var list []event.Burst
		for t := uint64(0); t < 10_000*ms; t += 50 * ms {
			list = append(list, event.Burst{TID: 10, Woken: 1000*ms + t, Ended: 1000*ms + t + 50*ms - 20_000, CPU: 10 * ms, Parked: 40 * ms,
				Waker: waker, WakerTID: 11, Slept: 202})
		}
		r := made(list, 10_000*ms)
		r.Before[0].Quota, r.After[0].Quota = 20*ms, 20*ms
		r.After[0].Periods, r.After[0].Throttled = 100, 100
		return r
	}
	for quota, want := range map[uint64]float64{50 * ms: 1, 90 * ms: 1, 110 * ms: 0} {
		if p := Predict(loop(event.WakerOwn), quota, Config{}); math.Abs(p.Throttled-want) > 0.03 {
			t.Errorf("quota %d ms: %f, want %f", quota/ms, p.Throttled, want)
		}
	}
	if r := loop(event.WakerOutside); newWorkload(r, DefaultConfig().withDefaults(r)).tireless[0] {
		t.Error("a thread that is woken from outside is taken for a loop without rest")
	}
}

// busy is a node's worst recording: bursts of many threads that Poisson arrivals wake.
func busy(n int) event.Recording {
	rng := rand.New(rand.NewPCG(1, 2))
	free := make([]uint64, 16)
	var list []event.Burst
	at := uint64(1000 * ms)
	for range n {
		at += uint64(rng.ExpFloat64() * 1 * ms)
		i := rng.IntN(len(free))
		from := max(at, free[i])
		cpu := uint64(rng.ExpFloat64()*0.5*ms) + 1000
		free[i] = from + cpu
		list = append(list, event.Burst{TID: uint32(10 + i), Woken: from, Ended: from + cpu, CPU: cpu, Waker: event.WakerOutside, WakerTID: 5})
	}
	r := made(list, at+ms-1000*ms)
	r.Before[0].Quota, r.After[0].Quota = 50*ms, 50*ms
	return r
}

func BenchmarkReplay20000Bursts(b *testing.B) {
	r := busy(20000)
	b.ReportAllocs()
	for b.Loop() {
		Replay(r, Config{})
	}
}

func TestTheCurveIsInOrder(t *testing.T) {
	r := busy(8000)
	out := Replay(r, Config{})
	if len(out.Curve) == 0 || len(out.Curve) > 16 || out.Best <= 0 {
		t.Fatalf("%d points, best %d", len(out.Curve), out.Best)
	}
	for i, p := range out.Curve {
		if i > 0 && p.Quota <= out.Curve[i-1].Quota {
			t.Errorf("point %d: %d after %d", i, p.Quota, out.Curve[i-1].Quota)
		}
		if p.Low > p.Throttled || p.High < p.Throttled {
			t.Errorf("%+v", p)
		}
		t.Logf("%4d ms: %.3f (%.3f..%.3f) p99 %s usage %.3f", p.Quota/ms, p.Throttled, p.Low, p.High, p.StallP99, p.Usage)
	}
	t.Logf("burst %s %v, closed %f", out.Burst, out.BurstKnown, out.Closed)
	again := Replay(r, Config{})
	for i := range out.Curve {
		if out.Curve[i] != again.Curve[i] {
			t.Error("two replays differ")
		}
	}
	_ = time.Second
}
