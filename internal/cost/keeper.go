// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Keeper keeps account of what the observer costs. Its methods may be called from
// several goroutines.
type Keeper struct {
	read func() (Process, error)
	log  *slog.Logger

	mu       sync.Mutex
	governor *Governor
	average  average
	usage    Usage
	process  Process
	at       time.Time // of the reading before; zero: there is none
	// charged to a part since, and what was charged beyond what a reading showed: a
	// replay is charged when it ends, and its time shows while it lasts.
	charged, ahead time.Duration
	// counted was spent by programs and is not paid yet; rates is what they cost per
	// time in the latest window of each kind.
	counted time.Duration
	rates   map[Part]float64
	// lately is when each was under way last.
	lately map[Part]time.Time
	failed bool
}

// NewKeeper keeps a budget, a share of one core; 0 is none. read reads what the
// process has used so far.
func NewKeeper(budget float64, read func() (Process, error), log *slog.Logger) *Keeper {
	return &Keeper{
		read: read, log: log, governor: NewGovernor(budget),
		usage: Usage{Own: map[Part]time.Duration{}, Budget: budget, BPF: BPF{Source: SourceNone}},
		rates: map[Part]float64{}, lately: map[Part]time.Time{},
	}
}

// Watch takes the run times of the BPF programs until ctx is done.
func (k *Keeper) Watch(ctx context.Context, programs Programs) {
	w := windows{programs: programs, log: k.log, took: k.took}
	w.run(ctx)
}

// took takes what was counted of the programs. A window stands for all the time
// until the next in which the same was under way: programs that run during births
// only would else be paid for minutes in which there were none.
func (k *Keeper) took(t taken) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.usage.BPF.add(t)
	if t.source == SourceAlways {
		k.counted += t.spent()
		return
	}
	during, since := PartRest, time.Now().Add(-t.watched)
	for _, p := range []Part{PartLeanIns, PartBirths} {
		if k.lately[p].After(since) {
			during = p
		}
	}
	k.rates[during] = t.rate()
}

// Charge does the work and charges its CPU time to a part.
func (k *Keeper) Charge(p Part, work func()) {
	spent := ThreadTime(work)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.usage.Own[p] += spent
	k.charged += spent
}

// Tick takes what was spent since the last time, of which the first is the
// beginning, and returns the step that is in force.
func (k *Keeper) Tick(now time.Time, doing Doing) Step {
	p, err := k.read()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if !k.failed {
			k.log.Error("cannot tell what the observer costs", "error", err)
		}
		k.failed = true
		return k.governor.Step()
	}
	spent, elapsed := p.CPU-k.process.CPU, now.Sub(k.at)
	first := k.at.IsZero()
	k.process, k.at, k.usage.Resident = p, now, p.Resident
	if first {
		k.share(spent, PartStart)
		return k.governor.Step()
	}
	k.share(spent, doing.part())
	k.lately[doing.part()] = now
	spent += k.counted + time.Duration(k.rates[doing.part()]*float64(elapsed))
	k.counted = 0
	k.average.add(spent, elapsed)
	was := k.governor.Step()
	step := k.governor.Spend(spent, elapsed)
	if step != was {
		k.say(was, step)
	}
	return step
}

// share gives what was spent and not charged yet to a part.
func (k *Keeper) share(spent time.Duration, p Part) {
	rest := spent - k.charged - k.ahead
	k.charged, k.ahead = 0, max(0, -rest)
	k.usage.Own[p] += max(0, rest)
}

func (k *Keeper) say(was, step Step) {
	used, _ := k.average.share()
	say := k.log.Info
	if step > was {
		say = k.log.Warn
	}
	say("the CPU budget: "+step.says(), "budget", FormatBudget(k.usage.Budget), "used", FormatBudget(used), "balance", k.governor.Balance().Round(time.Millisecond))
}

// says is what a step means, for the log.
func (s Step) says() string {
	switch s {
	case Shortened:
		return "lean-ins are shortened"
	case Refused:
		return "no lean-in begins"
	case Slow, Slowest:
		return "no lean-in begins, and counters are read less often"
	}
	return "nothing gives way any more"
}

// Usage is what was spent so far.
func (k *Keeper) Usage() Usage {
	k.mu.Lock()
	defer k.mu.Unlock()
	u := k.usage
	u.Own, u.BPF = maps.Clone(u.Own), u.BPF.clone()
	u.Used, u.UsedKnown = k.average.share()
	u.Balance, u.Step, u.Taken = k.governor.Balance(), k.governor.Step(), maps.Clone(k.governor.taken)
	return u
}
