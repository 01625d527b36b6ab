// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"context"
	"log/slog"
	"maps"
	"time"
)

const (
	// windowEvery is how often the run times of programs are counted, windowFor for
	// how long. Counting costs each run of each program of the node two readings of
	// the clock.
	windowEvery = 30 * time.Second
	windowFor   = time.Second
	// readEvery is how often they are read where the kernel counts anyway.
	readEvery = 10 * time.Second
)

// windows watch the BPF programs.
type windows struct {
	programs Programs
	log      *slog.Logger
	// took is told what was counted, and within how long.
	took func(taken)
	said bool
}

// taken is what was counted within a time.
type taken struct {
	source   Source
	programs []Program
	watched  time.Duration
	memory   uint64
}

// run watches until ctx is done.
func (w *windows) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		if w.programs.Always() {
			w.always(ctx)
			continue
		}
		w.window(ctx)
		sleep(ctx, windowEvery-time.Since(began))
	}
}

// always reads what the kernel counts anyway. What was counted before the first
// reading is not known to be of all the time that the programs were loaded.
func (w *windows) always(ctx context.Context) {
	before, began, ok := w.read()
	for sleep(ctx, readEvery); ctx.Err() == nil && w.programs.Always(); sleep(ctx, readEvery) {
		after, now, read := w.read()
		if ok && read {
			w.took(taken{SourceAlways, difference(before.programs, after.programs), now.Sub(began), after.memory})
		}
		before, began, ok = after, now, read
	}
}

// window counts for a moment.
func (w *windows) window(ctx context.Context) {
	counting, err := w.programs.Count()
	if err != nil {
		if now, _, ok := w.read(); ok {
			w.took(taken{source: SourceNone, memory: now.memory})
		}
		if !w.said {
			w.said = true
			w.log.Debug("the run time of BPF programs is not counted: no figures of it, and the budget is of the observer's own CPU time alone", "error", err)
		}
		return
	}
	before, began, ok := w.read()
	sleep(ctx, windowFor)
	after, now, read := w.read()
	if err := counting.Close(); err != nil {
		w.log.Error("cannot stop counting the run time of BPF programs", "error", err)
	}
	if ok && read && ctx.Err() == nil {
		w.took(taken{SourceSampled, difference(before.programs, after.programs), now.Sub(began), after.memory})
	}
}

func (w *windows) read() (taken, time.Time, bool) {
	programs, memory, err := w.programs.Read()
	if err != nil {
		w.log.Error("cannot read what the BPF programs cost", "error", err)
	}
	return taken{programs: programs, memory: memory}, time.Now(), err == nil
}

// difference is what was counted between two readings, by name: several programs
// may have the same. One that was loaded anew counts from 0.
func difference(before, after []Program) []Program {
	was := sum(before)
	var all []Program
	for name, p := range sum(after) {
		if b := was[name]; b.Time <= p.Time && b.Runs <= p.Runs {
			p.Time, p.Runs = p.Time-b.Time, p.Runs-b.Runs
		}
		all = append(all, p)
	}
	return all
}

func sum(all []Program) map[string]Program {
	out := map[string]Program{}
	for _, p := range all {
		s := out[p.Name]
		out[p.Name] = Program{p.Name, s.Time + p.Time, s.Runs + p.Runs}
	}
	return out
}

// add takes what was counted.
func (b *BPF) add(t taken) {
	if b.Programs == nil {
		b.Programs = map[string]Program{}
	}
	b.Source, b.Memory = t.source, t.memory
	b.Watched += t.watched
	for _, p := range t.programs {
		s := b.Programs[p.Name]
		b.Programs[p.Name] = Program{p.Name, s.Time + p.Time, s.Runs + p.Runs}
	}
}

func (b *BPF) clone() BPF {
	c := *b
	c.Programs = maps.Clone(b.Programs)
	return c
}

// rate is CPU time per time within what was counted.
func (t taken) rate() float64 {
	if t.watched <= 0 {
		return 0
	}
	return float64(t.spent()) / float64(t.watched)
}

// spent by all programs.
func (t taken) spent() time.Duration {
	var spent time.Duration
	for _, p := range t.programs {
		spent += p.Time
	}
	return spent
}

func sleep(ctx context.Context, long time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(long):
	}
}
