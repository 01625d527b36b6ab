// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lineBytes are those of a cache line.
const lineBytes = 64

// line is one of a buffer, with the number of the one that is walked to from it.
type line struct {
	next uint32
	_    [lineBytes - 4]byte
}

// pace makes as many rounds as each line of its input says, and answers with the CPU time
// of its threads in them, in ns. A round is one system call (getppid), then a walk over all
// lines of a buffer; one that is asleep is first woken by a peer. Arguments: the buffer's
// size in bytes, "awake" or "asleep".
func pace(args []string) error {
	size, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := onLastCPU(); err != nil {
		return err
	}
	lines, err := circle(size)
	if err != nil {
		return err
	}
	var p *peer
	if args[1] == asleep {
		if p, err = startPeer(); err != nil {
			return err
		}
	}
	for {
		var rounds int
		if _, err := fmt.Scanln(&rounds); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		before := p.time() + ownTime()
		if errno := makeRounds(rounds, lines, p); errno != 0 {
			return fmt.Errorf("sleep, or wake a peer: %w", errno)
		}
		fmt.Println(int64(p.time() + ownTime() - before))
	}
}

// makeRounds makes no system calls but its own: they are raw, so that the Go runtime has
// no part in them.
func makeRounds(rounds int, lines []line, p *peer) unix.Errno {
	at := uint32(0)
	for range rounds {
		if p != nil {
			if errno := pass(p.toPeer[1], p.fromPeer[0]); errno != 0 {
				return errno
			}
		}
		_, _ = unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0)
		for range lines {
			at = lines[at].next
		}
	}
	return 0
}

// pass writes a byte to who sleeps at the other end of a pipe, and sleeps at that of
// another one.
func pass(to, from int) unix.Errno {
	var one [1]byte
	if _, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(to), uintptr(unsafe.Pointer(&one)), 1); errno != 0 {
		return errno
	}
	_, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(from), uintptr(unsafe.Pointer(&one)), 1)
	return errno
}

// peer is another thread of the process, on the same CPU: it wakes whoever has woken it,
// and sleeps again.
type peer struct {
	toPeer, fromPeer [2]int
	clock            int32 // of its CPU time
}

// startPeer returns once it runs. It ends with the process.
func startPeer() (*peer, error) {
	p := &peer{}
	if err := errors.Join(unix.Pipe(p.toPeer[:]), unix.Pipe(p.fromPeer[:])); err != nil {
		return nil, fmt.Errorf("make pipes: %w", err)
	}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := onLastCPU()
		// include/linux/posix-timers.h make_thread_cpuclock(), CPUCLOCK_SCHED
		p.clock = int32(^unix.Gettid())<<3 | 4 | 2
		ready <- err
		var one [1]byte
		_, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(p.toPeer[0]), uintptr(unsafe.Pointer(&one)), 1)
		for errno == 0 {
			errno = pass(p.fromPeer[1], p.toPeer[0])
		}
	}()
	return p, <-ready
}

// time is the CPU time that the peer has had; of nobody it is 0.
func (p *peer) time() time.Duration {
	var t unix.Timespec
	if p == nil || unix.ClockGettime(p.clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// onLastCPU binds this thread to the last CPU that it may run on.
func onLastCPU() error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return fmt.Errorf("read the CPUs: %w", err)
	}
	for cpu := range len(may) * 64 {
		if may.IsSet(cpu) {
			one.Zero()
			one.Set(cpu)
		}
	}
	return unix.SchedSetaffinity(0, &one)
}

// circle is a buffer of whole lines of which each leads to another one, all of them in one
// circle, in an order that no prefetcher knows (Sattolo's algorithm).
func circle(size int) ([]line, error) {
	if size == 0 {
		return nil, nil
	}
	raw, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map a buffer: %w", err)
	}
	lines := unsafe.Slice((*line)(unsafe.Pointer(&raw[0])), size/lineBytes)
	for i := range lines {
		lines[i].next = uint32(i)
	}
	for i := len(lines) - 1; i > 0; i-- {
		j := rand.IntN(i)
		lines[i].next, lines[j].next = lines[j].next, lines[i].next
	}
	return lines, nil
}

const (
	awake  = "awake"
	asleep = "asleep"
)

// paces are the rounds that a process makes at a time.
type paces struct {
	how           string
	bytes, rounds int
}

// pacer is a process that makes rounds (pace).
type pacer struct {
	of  paces
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

// startPacer returns once the process has made its first rounds, which nobody counts.
func startPacer(path string, of paces) (*pacer, error) {
	cmd := exec.Command(path, "pace", strconv.Itoa(of.bytes), of.how)
	cmd.Stderr = os.Stderr
	// The rounds are not to be interrupted by the Go runtime. Two of its threads are in
	// system calls that it knows nothing of.
	cmd.Env = append(os.Environ(), "GOGC=off", "GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=4")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start who makes rounds: %w", err)
	}
	p := &pacer{of, cmd, in, out}
	if _, err := p.pace(200); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// pace is the CPU time of a round, in ns: the mean of so many.
func (p *pacer) pace(rounds int) (float64, error) {
	if _, err := fmt.Fprintln(p.in, rounds); err != nil {
		return 0, fmt.Errorf("ask for rounds: %w", err)
	}
	var ns int64
	if _, err := fmt.Fscanln(p.out, &ns); err != nil {
		return 0, fmt.Errorf("hear of rounds: %w", err)
	}
	return float64(ns) / float64(rounds), nil
}

func (p *pacer) end() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
