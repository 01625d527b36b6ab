// SPDX-License-Identifier: Apache-2.0

// Command recommender measures how well a limit is recommended from a recording:
// it runs workloads in cgroups of its own, as a pod has them, records them at a
// limit, predicts others, sets those and measures. It searches the smallest limit
// that meets the target and compares recommenders with it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/document"
	"github.com/kernel-gossip/kernel-gossip/internal/counterfactual"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// options of the command.
type options struct {
	resume, document, recordings string
	only                         *regexp.Regexp
	short, reportOnly, list      bool
	anew                         bool
}

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "recommender:", err)
		os.Exit(1)
	}
}

// dispatch tells the bench from the processes that it starts.
func dispatch(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "work":
		return work(args[1])
	case len(args) >= 2 && args[0] == "clients":
		return clients(args[1], args[len(args)-1])
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
	flag.StringVar(&o.resume, "resume", "", "`file` with results, one scene a line: what is in it is not measured again (default build/recommender.jsonl, with -short build/recommender-short.jsonl)")
	flag.StringVar(&o.document, "document", "", "Markdown `file` to put the table into, between its markers")
	flag.StringVar(&o.recordings, "recordings", "", "`folder` to keep the recordings in")
	only := flag.String("only", "^held-", "names of the scenes to measure (`regexp`)")
	flag.BoolVar(&o.short, "short", false, "short measurements, to try the bench out: not for publication")
	flag.BoolVar(&o.reportOnly, "report", false, "measure nothing: print the table of what is there")
	flag.BoolVar(&o.anew, "anew", false, "measure nothing: predict anew from the recordings that -recordings kept, and print the table")
	flag.BoolVar(&o.list, "list", false, "print the names of the scenes")
	flag.Parse()
	switch {
	case o.resume == "" && o.short:
		o.resume = "build/recommender-short.jsonl"
	case o.resume == "":
		o.resume = "build/recommender.jsonl"
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}

func run(ctx context.Context, o options) error {
	if o.list {
		for _, s := range scenes() {
			fmt.Println(s.Name)
		}
		return nil
	}
	done, err := load(o.resume)
	if err != nil {
		return err
	}
	l := usual()
	if o.short {
		l = short()
	}
	model := counterfactual.DefaultConfig()
	t := target{model.Target.ThrottledShare, model.Target.StallP99}
	if o.anew {
		if err := anew(done, o.recordings, player{lengths: l, target: t, model: model}); err != nil {
			return err
		}
	} else if !o.reportOnly {
		if err := measureAll(ctx, o, done, player{lengths: l, target: t, model: model}); err != nil {
			return err
		}
	}
	return tell(o, done, t)
}

// tell prints the table of all results that are there.
func tell(o options, done map[string]result, t target) error {
	var all []result
	for _, s := range scenes() {
		if r, ok := done[s.Name]; ok && r.Scene == s {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return errors.New("there are no results")
	}
	var table bytes.Buffer
	report(&table, all, t)
	if o.document != "" {
		if err := document.Publish(o.document, "bench-recommender", table.Bytes()); err != nil {
			return err
		}
	}
	_, err := os.Stdout.Write(table.Bytes())
	return err
}

// measureAll measures the scenes that are asked for and not done.
func measureAll(ctx context.Context, o options, done map[string]result, p player) (err error) {
	todo := slices.DeleteFunc(scenes(), func(s scene) bool {
		// A scene that was changed since is measured anew, and so is a short one.
		r, ok := done[s.Name]
		return ok && r.Scene == s && r.Short == o.short || !o.only.MatchString(s.Name)
	})
	if len(done) > 0 {
		say("%d scenes are in %s, %d are to be measured", len(done), o.resume, len(todo))
	}
	if len(todo) == 0 {
		return nil
	}
	st, err := newStage()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	if p.recorder, err = newRecorder(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.recorder.close()) }()
	begun := time.Now()
	for i, s := range todo {
		say("scene %d of %d: %s", i+1, len(todo), s.Name)
		p.keep = keeper(o.recordings, s.Name)
		r, err := perform(ctx, st, p, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		r.Short = o.short
		if err := add(o.resume, r); err != nil {
			return err
		}
		done[s.Name] = r
		left := time.Since(begun) / time.Duration(i+1) * time.Duration(len(todo)-i-1)
		say("%s took %.0f s; about %s to go", s.Name, r.Took, left.Round(time.Second))
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// perform sets a scene up, plays it, and clears it.
func perform(ctx context.Context, st *stage, p player, s scene) (r result, err error) {
	c, err := newCast(st, s, runtime.NumCPU())
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	p.cast = c
	if err := p.recorder.find(c.place); err != nil {
		return r, err
	}
	if r, err = p.play(ctx, s, runtime.NumCPU(), say); err != nil {
		return r, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return r, fmt.Errorf("read the kernel's version: %w", err)
	}
	r.Kernel = "Linux " + version(unix.ByteSliceToString(name.Release[:]))
	return r, nil
}

// version is the first two numbers of a kernel's release: what comes after them tells
// of the machine, not of the scheduler.
func version(release string) string {
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}

// keeper stores the recordings of a scene, for those who tune the model.
func keeper(folder, scene string) func(event.Recording) error {
	n := 0
	return func(r event.Recording) error {
		if folder == "" {
			return nil
		}
		n++
		return store(fmt.Sprintf("%s/%s-%d.json.gz", folder, scene, n), r)
	}
}
