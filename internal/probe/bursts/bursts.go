// SPDX-License-Identifier: Apache-2.0

// Package bursts hears when the threads of a container were woken, ran, waited and
// blocked, for a bounded time: the lean-in of internal/cpu. Its programs are an object
// of their own (bpf/bursts.bpf.c), attached only while somebody listens.
package bursts

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/run"
)

const (
	// listened is how many cgroups are listened to at a time (KG_LISTENED).
	listened = 2
	// drainInterval bounds how long a burst lies in the ring, which has room for about
	// 35,000 of them.
	drainInterval = 20 * time.Millisecond
	// pulseInterval is after which time a thread that is never switched is looked at.
	pulseInterval = 100 * time.Millisecond
	// defaultMaxBursts of one recording take about 20 MB.
	defaultMaxBursts = 1 << 17
)

// Reasons for which Start and Stop refuse.
var (
	ErrBusy        = errors.New("as many cgroups are listened to as can be at a time")
	ErrUnknown     = errors.New("no such cgroup with a cpu controller")
	ErrListened    = errors.New("the cgroup is listened to already")
	ErrNotListened = errors.New("the cgroup is not listened to")
	errClosed      = errors.New("the listener is closed")
)

// Options of Load.
type Options struct {
	// MaxBursts bounds the bursts that one recording keeps; what comes after is
	// counted as lost. 0: 131,072, about 20 MB.
	MaxBursts int
	// Run is the rung of the ladder by which programs are run (hooks.TestRun or
	// hooks.Filter), as that of the bandwidth; empty: the best one of this kernel.
	Run hooks.Way
}

// Listener is the loaded object. Its methods may be called from several goroutines.
type Listener struct {
	max        int
	way        run.Way // of the programs that are run from here
	cpus       int
	interrupts bool // see TellsInterrupts
	oneByOne   bool // a quota holds threads (6.18 and later), not run queues

	mu       sync.Mutex // guards what follows
	objects  burstsObjects
	reader   *ringbuf.Reader
	attached []io.Closer
	heard    [listened]*hearing
	stop     chan struct{} // ends the goroutine that drains
	failed   error         // why it ended by itself
	closed   bool
}

// Load loads the programs and attaches none.
func Load(opts Options) (*Listener, error) {
	// Needed up to 5.10 only; a refusal shows when a map is made.
	_ = rlimit.RemoveMemlock()
	l := &Listener{max: opts.MaxBursts}
	if l.max <= 0 {
		l.max = defaultMaxBursts
	}
	// Where nothing is run, a program's run will say so.
	if l.way = run.By(opts.Run); opts.Run == "" {
		l.way = run.Find()
	}
	if err := l.load(); err != nil {
		return nil, probe.Explain("load the programs that hear bursts", err)
	}
	if err := l.prepare(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Listener) load() error {
	spec, err := loadBursts()
	if err != nil {
		return err
	}
	for _, name := range []string{"find_group", "burst_pulse"} {
		if spec.Programs[name], err = l.way.Spec(spec.Programs[name]); err != nil {
			return err
		}
	}
	return spec.LoadAndAssign(&l.objects, nil)
}

func (l *Listener) prepare() error {
	var err error
	if l.cpus, err = ebpf.PossibleCPU(); err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return probe.Explain("read the kernel's types", err)
	}
	l.oneByOne = heldOneByOne(spec)
	return l.findPreemptCount(spec)
}

// TellsInterrupts is false on kernels that do not say where they count interrupts
// (x86, some builds of 5.10, unless /proc/kallsyms may be read). There a wake by an
// interrupt is taken for one by the thread that it interrupted, unless that is a
// thread of the kernel or the woken one slept for a time.
func (l *Listener) TellsInterrupts() bool { return l.interrupts }

// Start listens to a cgroup of the cpu controller's hierarchy, and to those below
// it. The first Start attaches the programs. It fails with ErrBusy while two others
// are listened to, and with ErrUnknown if there is no such cgroup.
func (l *Listener) Start(cgroup uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	slot := -1
	for i, h := range l.heard {
		switch {
		case h != nil && h.recording.Cgroup == cgroup:
			return ErrListened
		case h == nil && slot < 0:
			slot = i
		}
	}
	if slot < 0 {
		return ErrBusy
	}
	group, err := l.findGroup(cgroup)
	if err != nil {
		return err
	}
	if err := l.attach(); err != nil {
		return err
	}
	h, err := l.begin(slot, cgroup)
	if err != nil {
		return errors.Join(err, l.detach())
	}
	if err := l.listenTo(slot, group, cgroup, h.recording.From); err != nil {
		return errors.Join(err, l.listenTo(slot, 0, 0, 0), l.detach())
	}
	l.heard[slot] = h
	if l.stop == nil {
		l.stop = make(chan struct{})
		go l.drainAlong(l.stop)
	}
	return l.pulse(false)
}

// listenTo tells the programs what to listen to in a slot. The group comes last: it
// is what they look for.
func (l *Listener) listenTo(slot int, group, cgroup, since uint64) error {
	groups, ids, times := [listened]uint64{}, [listened]uint64{}, [listened]uint64{}
	if err := errors.Join(l.objects.KgGroups.Get(&groups), l.objects.KgIds.Get(&ids), l.objects.KgSince.Get(&times)); err != nil {
		return fmt.Errorf("read what is listened to: %w", err)
	}
	groups[slot], ids[slot], times[slot] = group, cgroup, since
	if err := errors.Join(l.objects.KgIds.Set(&ids), l.objects.KgSince.Set(&times), l.objects.KgGroups.Set(&groups)); err != nil {
		return fmt.Errorf("set what is listened to: %w", err)
	}
	return nil
}

// Stop ends the listening to a cgroup and returns what was heard, also if the cgroup
// has been removed meanwhile. The last Stop detaches the programs. The recording lacks
// what the programs do not know: Before, After and Stolen.
func (l *Listener) Stop(cgroup uint64) (event.Recording, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := -1
	for i, h := range l.heard {
		if h != nil && h.recording.Cgroup == cgroup {
			slot = i
		}
	}
	if slot < 0 {
		return event.Recording{}, ErrNotListened
	}
	h := l.heard[slot]
	errs := []error{l.failed, l.pulse(true)}
	errs = append(errs, l.listenTo(slot, 0, 0, 0))
	h.recording.To = probe.Now()
	errs = append(errs, l.drain(), l.flush(h), l.countLost(slot, h))
	l.heard[slot] = nil
	if l.heard == [listened]*hearing{} {
		errs = append(errs, l.detach())
	}
	return h.close(), errors.Join(errs...)
}

// Close ends all listening and unloads the programs. Nothing stays in the kernel.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return errors.Join(l.detach(), l.objects.Close())
}

// attach attaches what is not attached yet. The ring is mapped only meanwhile: its
// pages count twice as resident memory.
func (l *Listener) attach() error {
	if len(l.attached) > 0 {
		return nil
	}
	var err error
	if l.reader, err = ringbuf.NewReader(l.objects.Bursts); err != nil {
		return fmt.Errorf("open the ring of bursts: %w", err)
	}
	for _, prog := range l.programs() {
		a, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			return errors.Join(probe.Explain("attach "+prog.String(), err), l.detach())
		}
		l.attached = append(l.attached, a)
	}
	return nil
}

// programs are those that are attached while somebody listens. Where threads are held
// one by one, nothing has to be known of the queue that a wake leads to.
func (l *Listener) programs() []*ebpf.Program {
	all := []*ebpf.Program{
		l.objects.BurstSent, l.objects.BurstWaking, l.objects.BurstWakeupNew, l.objects.BurstSwitch,
	}
	if !l.oneByOne {
		all = append(all, l.objects.BurstWakeup)
	}
	return all
}

// detach detaches what nobody needs any more; it ends the draining, too.
func (l *Listener) detach() error {
	if l.heard != [listened]*hearing{} && !l.closed {
		return nil
	}
	var errs []error
	for _, a := range l.attached {
		errs = append(errs, a.Close())
	}
	l.attached, l.failed = nil, nil
	if l.reader != nil {
		errs = append(errs, l.reader.Close())
		l.reader = nil
	}
	if l.stop != nil {
		close(l.stop) // it holds no lock that is waited for: it may end later
		l.stop = nil
	}
	return errors.Join(errs...)
}
