// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// traffic is what random numbers a workload and its clients go by. The bench
// restarts it at the beginning of a window: measurements with the same seed meet
// the same requests at the same times.
type traffic struct{ now atomic.Pointer[piece] }

// piece of traffic: from start on the numbers that seed gives.
type piece struct {
	seed  uint64
	start time.Duration // CLOCK_MONOTONIC
}

// follow takes seeds, one a line, until the bench ends.
func (t *traffic) follow(in *bufio.Reader) {
	for {
		p := &piece{}
		if _, err := fmt.Fscanln(in, &p.seed); err != nil {
			return
		}
		p.start = monotonic()
		t.now.Store(p)
	}
}

// schedule is the arrivals of one source.
type schedule struct {
	traffic *traffic
	shape   shape
	source  int
	piece   *piece
	random  *rand.Rand
	next    time.Duration
}

func newSchedule(t *traffic, s shape, source int) *schedule {
	c := &schedule{traffic: t, shape: s, source: source}
	c.renew()
	return c
}

// renew begins the newest piece of traffic, if that does not go on already.
func (c *schedule) renew() {
	p := c.traffic.now.Load()
	if p == c.piece {
		return
	}
	c.piece, c.next = p, p.start
	c.random = rand.New(rand.NewPCG(p.seed, uint64(c.source)))
}

// wait sleeps until the next arrival.
func (c *schedule) wait() {
	for {
		c.renew()
		c.next += c.gap()
		sleepUntil(c.next)
		if c.traffic.now.Load() == c.piece {
			return
		}
	}
}

// think sleeps for the time between an answer and the next question.
func (c *schedule) think() {
	c.renew()
	sleepUntil(monotonic() + c.gap())
}

func (c *schedule) gap() time.Duration {
	every := float64(c.shape.Every)
	switch {
	case !c.shape.Random:
		return c.shape.Every
	case c.shape.Kind == kindCron:
		return time.Duration(every * (0.6 + 0.8*c.random.Float64()))
	}
	return time.Duration(every * c.random.ExpFloat64())
}

// cpu of the next request.
func (c *schedule) cpu() time.Duration {
	switch {
	case c.random.Float64() < c.shape.LongShare:
		return c.shape.Long
	case c.shape.Exponential:
		return time.Duration(float64(c.shape.CPU) * c.random.ExpFloat64())
	}
	return c.shape.CPU
}
