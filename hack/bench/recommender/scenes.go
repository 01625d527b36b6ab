// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// scene is a workload with or without a neighbor and the limits that it is given.
// Each limit is one cell: recorded there, predicted for the other two.
type scene struct {
	Name  string `json:"name"`
	Shape shape  `json:"shape"`
	// HeldOut: neither the model nor its constants were tuned on it.
	HeldOut bool `json:"heldOut"`
	// Busy: a neighbor with half the container's weight keeps every CPU busy.
	Busy bool `json:"busy"`
	// Limits in cores, rising.
	Limits [3]float64 `json:"limits"`
}

const ms = time.Millisecond

// scenes are all there are. The held-out ones are unlike those for tuning in more
// than their figures: other distributions, other ways in, other numbers of threads.
func scenes() []scene {
	all := append(tuning(), heldOut()...)
	for _, name := range []string{"held-poisson", "held-closed"} {
		for _, s := range all {
			if s.Name == name {
				s.Name, s.Busy = name+"-busy", true
				all = append(all, s)
			}
		}
	}
	return all
}

func tuning() []scene {
	return []scene{
		{Name: "poisson", Limits: [3]float64{0.45, 0.6, 0.9},
			Shape: shape{Kind: kindPoisson, Threads: 4, Every: 17 * ms, Random: true, CPU: 6 * ms, Exponential: true}},
		{Name: "timers", Limits: [3]float64{0.4, 0.5, 0.7},
			Shape: shape{Kind: kindTimers, Threads: 5, Every: 80 * ms, CPU: 6 * ms}},
		{Name: "closed", Limits: [3]float64{0.3, 0.45, 0.7},
			Shape: shape{Kind: kindClosed, Threads: 6, Every: 60 * ms, Random: true, CPU: 5 * ms, TCP: true}},
		{Name: "go", Limits: [3]float64{0.4, 0.65, 1.1},
			Shape: shape{Kind: kindGo, Threads: 8, Every: 160 * ms, Random: true, CPU: 6 * ms}},
		{Name: "pool", Limits: [3]float64{0.4, 0.55, 0.8},
			Shape: shape{Kind: kindPool, Threads: 4, Every: 12500 * time.Microsecond, Random: true, CPU: 4 * ms}},
		{Name: "cron", Limits: [3]float64{0.4, 0.8, 1.3},
			Shape: shape{Kind: kindCron, Threads: 2, Every: time.Second, CPU: 130 * ms}},
		{Name: "batch", Limits: [3]float64{0.3, 0.6, 0.9},
			Shape: shape{Kind: kindBatch, Threads: 1}},
	}
}

func heldOut() []scene {
	return []scene{
		{Name: "held-poisson", HeldOut: true, Limits: [3]float64{0.42, 0.65, 1},
			Shape: shape{Kind: kindPoisson, Threads: 8, Every: 28 * ms, Random: true, CPU: 5 * ms, Long: 60 * ms, LongShare: 0.08}},
		{Name: "held-timers", HeldOut: true, Limits: [3]float64{0.36, 0.48, 0.7},
			Shape: shape{Kind: kindTimers, Threads: 3, Every: 130 * ms, CPU: 14 * ms}},
		{Name: "held-closed", HeldOut: true, Limits: [3]float64{0.35, 0.5, 0.8},
			Shape: shape{Kind: kindClosed, Threads: 3, Every: 40 * ms, CPU: 9 * ms, Exponential: true}},
		{Name: "held-go", HeldOut: true, Limits: [3]float64{0.4, 0.55, 0.9},
			Shape: shape{Kind: kindGo, Threads: 6, Every: 110 * ms, CPU: 2 * ms, Garbage: 12 << 20, Live: 48 << 20}},
		{Name: "held-pool", HeldOut: true, Limits: [3]float64{0.25, 0.45, 0.8},
			Shape: shape{Kind: kindPool, Threads: 6, Every: 250 * ms, Random: true, CPU: 6 * ms, Together: 8}},
		{Name: "held-cron", HeldOut: true, Limits: [3]float64{0.4, 0.9, 1.5},
			Shape: shape{Kind: kindCron, Threads: 3, Every: 900 * ms, Random: true, CPU: 90 * ms}},
		{Name: "held-batch", HeldOut: true, Limits: [3]float64{0.5, 1, 1.6},
			Shape: shape{Kind: kindBatch, Threads: 2}},
	}
}
