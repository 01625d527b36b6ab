// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/cost/empty"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// Who listens while rounds are made.
const (
	nobodyListens = "nobody"
	nobodyAgain   = "noise"
	emptyOnExit   = "empty-exit"
	emptyOnBoth   = "empty-both"
	observed      = "observer"
)

var listenersOfRounds = []string{nobodyListens, emptyOnExit, emptyOnBoth, observed, nobodyAgain}

// orderOf is that of a turn: each begins with another one, and every second time round each
// comes after those that it came before.
func orderOf(turn int) []string {
	first := turn % len(listenersOfRounds)
	order := slices.Concat(listenersOfRounds[first:], listenersOfRounds[:first])
	if turn/len(listenersOfRounds)%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// BenchmarkCostOfAMembersCall measures what a round of a thread takes in CPU time: one
// system call (getppid) and a walk over a buffer, as a runtime works between its calls. The
// walk displaces what the kernel and the programs had in the caches, and they displace it:
// "32KiB" is about the first level, "512KiB" much of the second. The rounds of "asleep"
// begin with a byte to a peer on the same CPU, a sleep, and a byte of the peer's, who is a
// thread of the same process: two writes, two reads, two switches and two wake-ups.
//
// nobody-*-ns is what a round takes while nobody listens. All else is how much more it
// takes: for programs that do nothing on the exit of system calls, or on entry and exit;
// and for the observer while a birth is under way, for a thread of that birth ("member",
// a runtime's) and for another one ("bystander"); "noise" is for nobody once more. Medians
// of turns; each turn has processes of its own, and compares only what the same process took
// in it.
func BenchmarkCostOfAMembersCall(b *testing.B) {
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		b.Skip("run by make bench-bpf: needs root and BPF")
	}
	s := newPaceStage(b)
	for _, how := range []string{awake, asleep} {
		b.Run(how, func(b *testing.B) {
			for _, size := range []struct {
				name                 string
				bytes, rounds, turns int
			}{
				{"0KiB", 0, 20_000, 40},
				{"32KiB", 32 << 10, 20_000, 20},
				{"512KiB", 512 << 10, 2_500, 40},
			} {
				of := paces{how, size.bytes, size.rounds}
				if how == asleep { // two sleeps a round, and none that is not told
					of.rounds = min(of.rounds, event.StretchesMaxOwn/2-1000)
				}
				more := map[string][]float64{}
				for number := range size.turns {
					if err := s.turn(number, of, more); err != nil {
						b.Fatal(err)
					}
				}
				for name, all := range more {
					b.ReportMetric(median(all), name+"-"+size.name+"-ns")
				}
			}
			b.ReportMetric(0, "ns/op") // says nothing here
		})
	}
}

// paceStage has all who listen, one at a time, and the programs that make rounds.
type paceStage struct {
	probe             *probe.Probe
	empty             *empty.Programs
	opened            chan event.Event
	member, bystander string
}

func newPaceStage(b *testing.B) *paceStage {
	b.Helper()
	mountTracefs(b)
	p, err := probe.Load(withTypes(probe.Options{Runtimes: []string{runtimeName}}))
	if err != nil {
		b.Fatal(err)
	}
	e, err := empty.Load()
	if err != nil {
		b.Fatal(errors.Join(err, p.Close()))
	}
	s := &paceStage{
		probe: p, empty: e, opened: make(chan event.Event, 1<<10),
		member: program(b, runtimeName), bystander: program(b, "bystander"),
	}
	ctx, stop := context.WithCancel(b.Context())
	read := make(chan error, 1)
	go func() { read <- p.Read(ctx, s.hear) }()
	b.Cleanup(func() {
		stop()
		if err := errors.Join(<-read, p.Close(), e.Close()); err != nil {
			b.Error(err)
		}
	})
	return s
}

func (s *paceStage) hear(e event.Event) {
	if e.Kind != event.SessionOpen {
		return
	}
	select {
	case s.opened <- e:
	default: // of others, whom nobody asks for
	}
}

// turn takes each kind of listener once, with two processes that are made for it, and adds
// what it says to the figures by name, in ns for a round.
func (s *paceStage) turn(number int, of paces, figures map[string][]float64) (err error) {
	member, err := startPacer(s.member, of)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, member.end()) }()
	session, err := s.sessionOf(member.cmd.Process.Pid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.probe.Forget(session)) }()
	bystander, err := startPacer(s.bystander, of)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bystander.end()) }()
	byMember, byBystander := map[string]float64{}, map[string]float64{}
	for _, who := range orderOf(number) {
		err := s.while(who, func() (err error) {
			if byMember[who], err = s.counted(session, who, member); err != nil {
				return err
			}
			byBystander[who], err = bystander.pace(of.rounds)
			return err
		})
		if err != nil {
			return err
		}
	}
	add := func(name string, ns float64) { figures[name] = append(figures[name], ns) }
	for _, took := range []map[string]float64{byMember, byBystander} {
		add(nobodyListens, took[nobodyListens])
		for _, who := range []string{nobodyAgain, emptyOnExit, emptyOnBoth} {
			add(who, took[who]-took[nobodyListens])
		}
	}
	add("member", byMember[observed]-byMember[nobodyListens])
	add("bystander", byBystander[observed]-byBystander[nobodyListens])
	return nil
}

// while does something while one kind listens.
func (s *paceStage) while(who string, do func() error) (err error) {
	switch who {
	case emptyOnExit:
		err = s.empty.OnExit()
	case emptyOnBoth:
		err = s.empty.OnBoth()
	case observed:
		_, err = s.probe.Arm()
	}
	if err == nil {
		err = do()
	}
	return errors.Join(err, s.empty.Detach(), s.probe.Disarm())
}

// counted lets the member make its rounds, and fails unless with the observer each of their
// system calls was counted and each of their sleeps was told, but what the kernel says it
// has left out; and without it none.
func (s *paceStage) counted(session uint64, who string, member *pacer) (float64, error) {
	before, err := s.heard(session)
	if err != nil {
		return 0, err
	}
	ns, err := member.pace(member.of.rounds)
	if err != nil {
		return 0, err
	}
	after, err := s.heard(session)
	if err != nil {
		return 0, err
	}
	calls, stretches, left := after.calls-before.calls, after.stretches-before.stretches, after.left-before.left
	made, slept := uint64(member.of.rounds), uint64(0)
	if member.of.how == asleep {
		slept = 2 * made
	}
	if who != observed {
		made, slept = 0, 0
	}
	if calls > made || calls+left < made || stretches+left < slept || made == 0 && stretches > 0 {
		return 0, fmt.Errorf("while %s listens: of the member %d of %d system calls were counted and %d of %d sleeps told; %d runs were left out",
			who, calls, made, stretches, slept, left)
	}
	return ns, nil
}

// heardOfRounds is what was counted of rounds, and the runs of programs that were left out.
type heardOfRounds struct{ calls, stretches, left uint64 }

func (s *paceStage) heard(session uint64) (heardOfRounds, error) {
	counts, err := s.probe.Counts(session)
	if err != nil {
		return heardOfRounds{}, err
	}
	lost, err := s.probe.Lost()
	return heardOfRounds{counts.Own.Syscalls[unix.SYS_GETPPID], counts.Own.Stretches, lost.Skipped}, err
}

func (s *paceStage) sessionOf(pid int) (uint64, error) {
	deadline := time.After(patience)
	for {
		select {
		case e := <-s.opened:
			if e.PID == uint32(pid) {
				return e.Session, nil
			}
		case <-deadline:
			return 0, errors.New("the session of the member was not heard")
		}
	}
}
