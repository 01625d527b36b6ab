// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

func init() { acts["burst"] = burst }

// deed is what one thread of an act says of itself, by its own clocks.
type deed struct {
	account
	TID uint32
	// Times is how often it did what it does; of one that spins, by how many ns the
	// throttled time in cpu.stat grew meanwhile.
	Times int
	// Nr is the system call that it waits in.
	Nr int32
}

// part is one thread of an act. It prepares, says that it is ready, waits for go, and
// tells how often it did what it does.
type part func(ready func(), run <-chan struct{}, d time.Duration) (times int, nr int32, err error)

// bursty are acts: the parts that play at the same time, by name.
var bursty = map[string]func() []part{
	"spin":      func() []part { return []part{spinning} },
	"first":     func() []part { return []part{onFirstCPU(spinning)} },
	"spins":     func() []part { return []part{spinning, spinning} },
	"mixed":     func() []part { return []part{working, working, working} },
	"nanosleep": func() []part { return []part{napping, spinning} },
	"timerfd":   func() []part { return []part{ticking, spinning} },
	"futex":     futexes,
	"pipe":      pipes,
	"loopback":  loopback,
	"stdin":     func() []part { return []part{reading(0)} },
	"server":    func() []part { return []part{serving} },
	"births":    func() []part { return []part{bearing} },
}

// burst plays an act inside a cgroup. Arguments: act, cgroup folder, milliseconds,
// "free" or "pinned" to the first CPU, the cgroup folder whose cpu.stat counts. It says "ready" and the thread ids, goes on when
// a line comes in, tells its deeds, and ends when its standard input does.
func burst(args []string) error {
	debug.SetGCPercent(-1)
	ms, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(args[1], "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	if args[3] == "pinned" {
		if err := allToFirstCPU(); err != nil {
			return err
		}
	}
	statOf = args[4]
	parts := bursty[args[0]]()
	deeds, errs := make([]deed, len(parts)), make([]error, len(parts))
	run := make(chan struct{})
	var prepared, done sync.WaitGroup
	prepared.Add(len(parts))
	for i, p := range parts {
		done.Go(func() { deeds[i], errs[i] = perform(p, prepared.Done, run, time.Duration(ms)*time.Millisecond) })
	}
	prepared.Wait()
	fmt.Println("ready")
	if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
		return err
	}
	close(run)
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(deeds); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func perform(p part, ready func(), run <-chan struct{}, d time.Duration) (deed, error) {
	runtime.LockOSThread()
	said := deed{TID: uint32(unix.Gettid())}
	var before account
	var began int64
	clocked := func() {
		before, began = accountOfThread(), readClock(unix.CLOCK_MONOTONIC)
		ready()
	}
	times, nr, err := p(clocked, run, d)
	said.account = accountOfThread()
	said.Took = readClock(unix.CLOCK_MONOTONIC) - began
	said.CPU -= before.CPU
	if said.Ran >= 0 {
		said.Ran, said.Queued = said.Ran-before.Ran, said.Queued-before.Queued
	}
	said.Times, said.Nr = times, nr
	return said, err
}

// allToFirstCPU pins the threads that there are, and so those that they make.
func allToFirstCPU() error {
	var all, first unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := 0; first.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			first.Set(cpu)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &first); err != nil {
			return err
		}
	}
	return nil
}

func until(d time.Duration) func() bool {
	end := readClock(unix.CLOCK_MONOTONIC) + d.Nanoseconds()
	return func() bool { return readClock(unix.CLOCK_MONOTONIC) < end }
}

// statOf is the cgroup folder whose cpu.stat counts for an act.
var statOf string

func spinning(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	ready()
	<-run
	before, err := readCPUStat(statOf)
	if err != nil {
		return 0, -1, err
	}
	if err := burn(d, nil); err != nil {
		return 0, -1, err
	}
	after, err := readCPUStat(statOf)
	return int(throttledTime(after) - throttledTime(before)), -1, err
}

// onFirstCPU pins one thread, and not those that Go has beside it.
func onFirstCPU(p part) part {
	return func(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
		if err := toFirstCPU(); err != nil {
			return 0, -1, err
		}
		return p(ready, run, d)
	}
}

func readCPUStat(dir string) (map[string]uint64, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return nil, err
	}
	stat := map[string]uint64{}
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		name, value, _ := strings.Cut(line, " ")
		if stat[name], err = strconv.ParseUint(value, 10, 64); err != nil {
			return nil, err
		}
	}
	return stat, nil
}

func throttledTime(stat map[string]uint64) uint64 {
	if usec, v2 := stat["throttled_usec"]; v2 {
		return usec * 1000
	}
	return stat["throttled_time"]
}

// working burns and sleeps in turns.
func working(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	ready()
	<-run
	n := 0
	for more := until(d); more(); n++ {
		if err := burn(time.Duration(1+n%5)*time.Millisecond, nil); err != nil {
			return n, 0, err
		}
		if err := sleepOnTimer(time.Duration(1+n%3)*time.Millisecond, nil); err != nil {
			return n, 0, err
		}
	}
	return n, unix.SYS_NANOSLEEP, nil
}

func napping(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	ready()
	<-run
	n := 0
	for more := until(d); more(); n++ {
		if err := sleepOnTimer(5*time.Millisecond, nil); err != nil {
			return n, 0, err
		}
	}
	return n, unix.SYS_NANOSLEEP, nil
}

// ticking waits in epoll for a timer's file descriptor.
func ticking(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, 0)
	if err != nil {
		return 0, 0, err
	}
	every := unix.NsecToTimespec((5 * time.Millisecond).Nanoseconds())
	if err := unix.TimerfdSettime(timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return 0, 0, err
	}
	poll, err := unix.EpollCreate1(0)
	if err != nil {
		return 0, 0, err
	}
	if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, timer, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return 0, 0, err
	}
	ready()
	<-run
	n := 0
	for more := until(d); more(); n++ {
		if err := patiently(func() error {
			_, err := unix.EpollWait(poll, make([]unix.EpollEvent, 1), -1)
			return err
		}); err != nil {
			return n, 0, err
		}
		if _, err := unix.Read(timer, make([]byte, 8)); err != nil {
			return n, 0, err
		}
	}
	return n, unix.SYS_EPOLL_PWAIT, nil
}

// bearing makes threads, which end with their goroutines.
func bearing(ready func(), run <-chan struct{}, d time.Duration) (int, int32, error) {
	ready()
	<-run
	n := 0
	for more := until(d); more(); n++ {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread()
		}()
		<-ended
	}
	return n, -1, nil
}

// stage is an act that a test has on: it is ready to go.
type stage struct {
	in    io.WriteCloser
	lines *bufio.Reader
	kill  func() // ends it, and waits for that
}

func (s *stage) line() (string, error) { return s.lines.ReadString('\n') }
