// SPDX-License-Identifier: Apache-2.0

// load is a workload of known size: it computes for so much CPU time, on request,
// by the clock or without end, so that what a limit does to it can be checked.
//
//	load serve -listen :8080 -threads 4 -cpu 20ms   answer each line after computing
//	load ask -to host:8080 -rate 10                 ask at random moments, whatever comes back
//	load ask -to host:8080 -clients 4 -think 50ms   ask, wait for the answer, think
//	load tick -threads 8 -every 1s -cpu 30ms        compute on all threads at once, by the clock
//	load burn -threads 2                            compute without end
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

var modes = map[string]func(options) error{"serve": serve, "ask": ask, "tick": tick, "burn": burnAlways}

type options struct {
	listen, to     string
	threads        int
	clients        int
	cpu            time.Duration
	every          time.Duration
	rate           float64
	think          time.Duration
	reportInterval time.Duration
}

func main() {
	if len(os.Args) < 2 || modes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: load serve|ask|tick|burn [FLAGS]")
		os.Exit(2)
	}
	var o options
	f := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	f.StringVar(&o.listen, "listen", ":8080", "address to answer on")
	f.StringVar(&o.to, "to", "", "host:port to ask")
	f.IntVar(&o.threads, "threads", 1, "threads that compute")
	f.IntVar(&o.clients, "clients", 0, "clients that wait for their answers; 0: none waits")
	f.DurationVar(&o.cpu, "cpu", 10*time.Millisecond, "CPU time of each request or tick")
	f.DurationVar(&o.every, "every", time.Second, "time between two ticks")
	f.Float64Var(&o.rate, "rate", 10, "requests per second of those that do not wait")
	f.DurationVar(&o.think, "think", 0, "time between an answer and the next request")
	f.DurationVar(&o.reportInterval, "report", 5*time.Second, "time between two lines of figures")
	_ = f.Parse(os.Args[2:])
	if err := modes[os.Args[1]](o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
