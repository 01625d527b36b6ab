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
}

func (r *report) add(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, d)
}

func (r *report) tell() {
	r.mu.Lock()
	took := r.took
	r.took = nil
	r.mu.Unlock()
	if len(took) == 0 {
		fmt.Println("answers 0")
		return
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[min(len(took)-1, int(q*float64(len(took))))].Round(100 * time.Microsecond)
	}
	fmt.Printf("answers %d median %s p99 %s longest %s\n", len(took), at(0.5), at(0.99), took[len(took)-1].Round(100*time.Microsecond))
}
