// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// process is one that is told what it uses.
type process struct{ cpu time.Duration }

func (p *process) read() (Process, error) { return Process{CPU: p.cpu, Resident: 1 << 20}, nil }

func TestThePartsAddUp(t *testing.T) {
	p := &process{cpu: 700 * time.Millisecond}
	k := NewKeeper(0.01, p.read, slog.New(slog.DiscardHandler))
	now := time.Now()
	tick := func(spent time.Duration, doing Doing) {
		p.cpu += spent
		now = now.Add(time.Second)
		k.Tick(now, doing)
	}
	tick(0, Doing{})
	tick(5*time.Millisecond, Doing{})
	tick(30*time.Millisecond, Doing{Births: true, LeanIns: true})
	tick(7*time.Millisecond, Doing{LeanIns: true})
	k.usage.Own[PartReplay], k.charged = 40*time.Millisecond, 40*time.Millisecond // ends now, and lasted since before
	tick(10*time.Millisecond, Doing{})
	tick(50*time.Millisecond, Doing{})
	u := k.Usage()
	want := map[Part]time.Duration{
		PartStart: 700 * time.Millisecond, PartBirths: 30 * time.Millisecond, PartLeanIns: 7 * time.Millisecond,
		PartReplay: 40 * time.Millisecond, PartRest: 25 * time.Millisecond,
	}
	var all time.Duration
	for part, spent := range u.Own {
		all += spent
		if spent != want[part] {
			t.Errorf("%s: %s, want %s", part, spent, want[part])
		}
	}
	if all != p.cpu || u.Resident != 1<<20 {
		t.Errorf("%s of %s, %d bytes", all, p.cpu, u.Resident)
	}
	if u.Balance >= 3*time.Second || u.Balance < 2900*time.Millisecond {
		t.Errorf("the start was paid for: balance %s", u.Balance)
	}
}

// programs are those of a kernel that counts 2 ms in each second while it is on.
type programs struct {
	mu       sync.Mutex
	on       bool
	always   bool
	refuse   bool
	since    time.Time
	counted  time.Duration
	opened   int
	disposed int
}

func (p *programs) Always() bool { return p.always }

func (p *programs) Count() (io.Closer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return nil, errors.New("operation not permitted")
	}
	p.on, p.since = true, time.Now()
	p.opened++
	return p, nil
}

func (p *programs) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counted += time.Since(p.since) / 500
	p.on = false
	p.disposed++
	return nil
}

func (p *programs) Read() ([]Program, uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	counted := p.counted
	if p.on {
		counted += time.Since(p.since) / 500
	}
	return []Program{{"sched_switch", counted / 2, uint64(counted.Microseconds())}, {"sched_switch", counted / 2, 0}}, 9 << 20, nil
}

func watch(t *testing.T, p *programs, long time.Duration, log *slog.Logger) Usage {
	t.Helper()
	k := NewKeeper(0.01, (&process{}).read, log)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { k.Watch(ctx, p); close(done) }()
	for range int(long / time.Second) {
		k.Tick(time.Now(), Doing{})
		time.Sleep(time.Second)
	}
	u := k.Usage()
	stop()
	<-done
	if p.opened != p.disposed {
		t.Errorf("counting began %d times and ended %d times", p.opened, p.disposed)
	}
	return u
}

// A second of each thirty stands for all of them in the budget, and for itself in
// the figures.
func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := watch(t, &programs{}, 5*time.Minute, slog.New(slog.DiscardHandler))
		b := u.BPF
		if b.Source != SourceSampled || b.Watched != 10*time.Second || b.Programs["sched_switch"].Time != 20*time.Millisecond ||
			b.Programs["sched_switch"].Runs != 20_000 || b.Memory != 9<<20 {
			t.Errorf("%+v", b)
		}
		if !u.UsedKnown || u.Used < 0.00199 || u.Used > 0.00201 {
			t.Errorf("used %v", u.Used)
		}
	})
}

func TestAKernelThatCountsAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &programs{always: true, on: true, since: time.Now()}
		u := watch(t, p, 95*time.Second, slog.New(slog.DiscardHandler))
		if b := u.BPF; b.Source != SourceAlways || b.Watched != 90*time.Second || b.Programs["sched_switch"].Time != 180*time.Millisecond || p.opened != 0 {
			t.Errorf("%+v", b)
		}
		if u.Used < 0.0018 || u.Used > 0.0022 {
			t.Errorf("used %v", u.Used)
		}
	})
}

// Where the kernel may not be asked there is no figure, and it is said once.
func TestNoFiguresWithoutTheRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		log := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
		u := watch(t, &programs{refuse: true}, 3*time.Minute, log)
		if b := u.BPF; b.Source != SourceNone || b.Watched != 0 || len(b.Programs) != 0 || u.Used != 0 || b.Memory != 9<<20 {
			t.Errorf("%+v, used %v", b, u.Used)
		}
		if n := strings.Count(said.String(), "operation not permitted"); n != 1 {
			t.Errorf("said %d times: %s", n, said.String())
		}
	})
}

// What programs cost during births is not paid for when there are none.
func TestWindowsOfBirthsStandForBirths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{}
		k := NewKeeper(0.01, p.read, slog.New(slog.DiscardHandler))
		window := func(ms time.Duration) {
			k.took(taken{SourceSampled, []Program{{"sys_exit", ms * time.Millisecond, 1}}, time.Second, 0})
		}
		second := func(doing Doing) time.Duration {
			time.Sleep(time.Second)
			before := k.Usage().Balance
			k.Tick(time.Now(), doing)
			return (before - k.Usage().Balance + 10*time.Millisecond).Round(time.Millisecond)
		}
		second(Doing{})
		p.cpu += 300 * time.Millisecond // the account is not full
		second(Doing{Births: true})
		window(30)
		for range 3 {
			second(Doing{})
		}
		window(1)
		if paid := second(Doing{}); paid != time.Millisecond {
			t.Errorf("at rest: %s", paid)
		}
		if paid := second(Doing{Births: true}); paid != 30*time.Millisecond {
			t.Errorf("during births: %s", paid)
		}
	})
}

func TestStepsAreSaid(t *testing.T) {
	var said bytes.Buffer
	p := &process{}
	k := NewKeeper(0.01, p.read, slog.New(slog.NewTextHandler(&said, nil)))
	now := time.Now()
	for range 800 {
		now = now.Add(time.Second)
		k.Tick(now, Doing{})
		if p.cpu < 4*time.Second {
			p.cpu += 100 * time.Millisecond
		}
	}
	out := said.String()
	if strings.Count(out, "level=WARN") != 2 || !strings.Contains(out, "nothing gives way any more") || !strings.Contains(out, "budget=1%") {
		t.Error(out)
	}
	if taken := k.Usage().Taken; taken[Refused] != 1 || taken[Normal] != 1 {
		t.Errorf("%v", taken)
	}
}

// The process' own figures are those of /proc.
func TestReadProcess(t *testing.T) {
	before, err := ReadProcess()
	if err != nil {
		t.Fatal(err)
	}
	spent := ThreadTime(func() {
		for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
			_ = os.Getpid()
		}
	})
	after, err := ReadProcess()
	if err != nil {
		t.Fatal(err)
	}
	if spent <= 0 || after.CPU-before.CPU < spent/2 || after.Resident < 1<<20 {
		t.Errorf("%s by the thread, %s by the process, %d bytes", spent, after.CPU-before.CPU, after.Resident)
	}
}
