// SPDX-License-Identifier: Apache-2.0

// Command cost measures what the observer costs the machine that it listens to, and
// what its alternatives cost: cost per event of every program, slowdown of four
// workloads, what a bystander's system call pays, CPU and memory at rest, events per
// second before any is lost, and the price of a birth that is heard by others' tools.
// It needs root, no cluster, and a machine that does nothing else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	observer, results, table, document string
	parts                              []string
	quick, fresh, reportOnly           bool
}

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

// dispatch tells the bench from the processes that it starts.
func dispatch(args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "work":
			return runWorker()
		case "peer":
			return runPeer()
		case "lean":
			return runLean()
		case "births":
			return runBirths(args[1], args[2])
		case "poll":
			return runPoller(args[1], args[2])
		}
	}
	o, err := flags()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, o)
}

func flags() (o options, err error) {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	only := flag.String("parts", "", "measure these, anew, and keep the rest: "+strings.Join(names, ","))
	flag.StringVar(&o.observer, "observer", "build/bin/kernel-observer", "the observer's `program`")
	flag.StringVar(&o.results, "results", "", "`file` to keep results in; a run that was interrupted goes on from there (default build/bench.json, with -quick build/bench-quick.json)")
	flag.StringVar(&o.document, "document", "docs/reference/performance.md", "`file` that -write writes to, between its markers")
	write := flag.Bool("write", false, "put the tables into the document")
	flag.BoolVar(&o.quick, "quick", false, "few and short measurements (about 5 minutes): an order of magnitude")
	flag.BoolVar(&o.fresh, "fresh", false, "measure everything anew also if the last run was interrupted")
	flag.BoolVar(&o.reportOnly, "report", false, "measure nothing: print the tables of what is there")
	flag.Parse()
	if !*write {
		o.document = ""
	}
	if o.results == "" {
		o.results = "build/bench.json"
		if o.quick {
			o.results = "build/bench-quick.json"
		}
	}
	o.table = strings.TrimSuffix(o.results, ".json") + ".md"
	for name := range strings.SplitSeq(*only, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("-parts: no %q: there are %s", name, strings.Join(names, ", "))
		}
		o.parts = append(o.parts, name)
	}
	return o, nil
}

func (o options) scale() scale {
	if o.quick {
		return scale{
			pairs: 6, rounds: 3, long: 60 * time.Millisecond, births: 4, blocks: 3,
			idles: 3, idle: 4 * time.Second, storm: time.Second,
		}
	}
	return scale{
		pairs: 24, rounds: 9, long: 150 * time.Millisecond, births: 8, blocks: 8,
		idles: 3, idle: 20 * time.Second, storm: 3 * time.Second,
	}
}

// part is one measurement.
type part struct {
	name    string
	what    string
	measure func(context.Context, *bench) (any, error)
	// full and quick are how long it takes, about.
	full, quick time.Duration
}

var parts = []part{
	{"programs", "cost per event of every program", measurePrograms, 30 * time.Second, 15 * time.Second},
	{"slowdown", "slowdown of four workloads", measureSlowdown, 6 * time.Minute, 80 * time.Second},
	{"lean-in", "what a whole lean-in costs its suspect", measureWholeLean, 170 * time.Second, 70 * time.Second},
	{"bystander", "a bystander's system call", measureBystander, 100 * time.Second, 40 * time.Second},
	{"idle", "CPU and memory at rest", measureIdle, 6 * time.Minute, 90 * time.Second},
	{"loss", "events per second before any is lost", measureLoss, 90 * time.Second, 70 * time.Second},
	{"rivals", "what the same births cost with others' tools", measureRivals, 5 * time.Minute, 2 * time.Minute},
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func run(ctx context.Context, o options) error {
	r, err := loadResults(o.results)
	if err != nil {
		return err
	}
	if !o.reportOnly {
		r, err = measureParts(ctx, o, r)
		if err != nil {
			return err
		}
	}
	return tell(o, r)
}

// measureParts measures what is asked for and not there.
func measureParts(ctx context.Context, o options, r results) (_ results, err error) {
	missing, r := choose(o, r, time.Now())
	if len(o.parts) == 0 && len(missing) < len(parts) {
		say("%d of %d parts are in %s already", len(parts)-len(missing), len(parts), o.results)
	}
	if os.Geteuid() != 0 {
		return r, errors.New("the bench loads BPF programs and makes cgroups: run it as root")
	}
	unmount, err := mountTracefs()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, unmount()) }()
	b, err := newBench(o, say)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for i, p := range missing {
		say("part %d of %d: %s; about %s to go", i+1, len(missing), p.what, toGo(o, missing[i:]))
		b.part, b.began = p.name, time.Now()
		if n := othersPrograms(); n > 0 {
			say("beware: %d BPF programs of others are loaded on this machine, and may be in the figures", n)
		}
		got := partResult{Started: b.began, Quick: o.quick, Load: loadAverage(), Others: othersPrograms(), Kernel: kernel(), CPUs: runtime.NumCPU()}
		out, err := p.measure(ctx, b)
		if err != nil {
			return r, fmt.Errorf("%s: %w", p.what, errors.Join(err, b.clearPods()))
		}
		got.Took = time.Since(b.began).Seconds()
		if err := r.add(p.name, got, out); err != nil {
			return r, err
		}
		if err := r.store(o.results); err != nil {
			return r, err
		}
	}
	return r, nil
}

func toGo(o options, left []part) time.Duration {
	var sum time.Duration
	for _, p := range left {
		if o.quick {
			sum += p.quick
		} else {
			sum += p.full
		}
	}
	return sum
}
