// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// ask asks from outside, and reports how long the answers took.
func ask(o options) error {
	if o.to == "" {
		return errors.New("-to is missing: whom to ask")
	}
	r := &report{}
	if o.clients > 0 {
		for range o.clients {
			go r.each(o, func() { time.Sleep(o.think) })
		}
	} else {
		go r.arrivals(o)
	}
	for range time.Tick(o.reportInterval) {
		r.tell()
	}
	return nil
}

// each asks again and again on one connection.
func (r *report) each(o options, pause func()) {
	for {
		c, err := net.Dial("tcp", o.to)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		for lines := bufio.NewReader(c); ; pause() {
			if err := r.once(c, lines); err != nil {
				break
			}
		}
		_ = c.Close()
	}
}

func (r *report) once(c net.Conn, lines *bufio.Reader) error {
	begin := time.Now()
	r.ask(begin)
	defer r.rest()
	if _, err := fmt.Fprintln(c, "please"); err != nil {
		return err
	}
	if _, err := lines.ReadString('\n'); err != nil {
		return err
	}
	r.add(time.Since(begin))
	return nil
}

// arrivals asks at random moments (exponential intervals), without waiting for
// the answers to what was asked before: on a connection that is free, or a new one.
func (r *report) arrivals(o options) {
	turns := make(chan struct{})
	for next := time.Now(); ; {
		next = next.Add(time.Duration(rand.ExpFloat64() / o.rate * float64(time.Second)))
		time.Sleep(time.Until(next))
		select {
		case turns <- struct{}{}: // a connection waits for its turn
		default:
			go r.each(o, func() { <-turns })
		}
	}
}

// report has the durations since the last line.
type report struct {
	mu   sync.Mutex
	took []time.Duration
	// waiting counts who waits for an answer, since the moment at which nobody did.
	waiting int
	since   time.Time
	spell   time.Duration // the longest time for which always somebody waited
}

func (r *report) ask(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == 0 {
		r.since = now
	}
	r.waiting++
}

func (r *report) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spell = max(r.spell, time.Since(r.since))
	r.waiting--
}

func (r *report) add(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, d)
}

func (r *report) tell() {
	r.mu.Lock()
	took, spell := r.took, r.spell
	r.took, r.spell = nil, 0
	r.mu.Unlock()
	if len(took) == 0 {
		fmt.Println("answers 0")
		return
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return round(took[min(len(took)-1, int(q*float64(len(took))))])
	}
	fmt.Printf("answers %d median %s p99 %s longest %s spell %s\n", len(took), at(0.5), at(0.99), round(took[len(took)-1]), round(spell))
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
