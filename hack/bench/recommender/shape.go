// SPDX-License-Identifier: Apache-2.0

package main

import "time"

// The kinds of workload.
const (
	kindPoisson = "poisson" // open: requests from outside, at random, one pool of threads
	kindTimers  = "timers"  // threads whose timers fire at the same moment
	kindClosed  = "closed"  // clients that wait for the answer, then think
	kindGo      = "go"      // a Go program with more Ps than its limit has cores
	kindPool    = "pool"    // one thread takes the requests and hands them to workers
	kindCron    = "cron"    // idle, then a burst
	kindBatch   = "batch"   // never sleeps
)

// shape is a workload and what asks it to work.
type shape struct {
	Kind string `json:"kind"`
	// Threads of the pool, of the timers, of the burst; connections of a closed
	// loop; Ps of a Go program.
	Threads int `json:"threads"`
	// Every is the time between arrivals, ticks or bursts, or the time to think. If
	// Random it is the mean of an exponential distribution; between cron bursts are
	// evenly distributed 0.6 to 1.4 times Every.
	Every  time.Duration `json:"every,omitempty"`
	Random bool          `json:"random,omitempty"`
	// CPU of one request, of one tick of one thread, of one goroutine of a
	// request; the mean of an exponential distribution if Exponential.
	CPU         time.Duration `json:"cpu,omitempty"`
	Exponential bool          `json:"exponential,omitempty"`
	// LongShare of the requests take Long instead.
	Long      time.Duration `json:"long,omitempty"`
	LongShare float64       `json:"longShare,omitempty"`
	// Together is how many requests arrive at once, 0 for one.
	Together int `json:"together,omitempty"`
	// TCP: a closed loop's clients come over loopback TCP, not socket pairs.
	TCP bool `json:"tcp,omitempty"`
	// Garbage is what a request to a Go program allocates and drops (bytes), Live
	// what the collector marks each time; the bursts are then its own.
	Garbage int `json:"garbage,omitempty"`
	Live    int `json:"live,omitempty"`
}

// byTCP says how its clients reach it.
func (s shape) byTCP() bool { return s.Kind == kindGo || s.TCP }

// pairs is how many socket pairs connect it with its clients.
func (s shape) pairs() int {
	switch {
	case s.byTCP():
		return 0
	case s.Kind == kindClosed:
		return s.Threads
	case s.Kind == kindPoisson, s.Kind == kindPool:
		return 1
	}
	return 0
}

func (s shape) hasClients() bool { return s.byTCP() || s.pairs() > 0 }
