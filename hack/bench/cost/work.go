// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The four workloads, in the order of the tables. Each does next to nothing but
// what it is bound by, so that its ratio is about the worst there can be.
var workloads = []string{"system calls", "switches", "forks", "network"}

// worker is the process that does the workloads: "NAME N" on its standard input
// makes it do N of NAME and answer how many ns that took.
type worker struct {
	pipes, socket pair
}

// pair is where a worker reads and writes; its peer, another process, answers each
// byte with one.
type pair struct{ in, out int }

// runWorker pins itself to one CPU: the peers inherit that, so that each answer
// takes two switches.
func runWorker() error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // it keeps nothing
	var set unix.CPUSet
	set.Set(runtime.NumCPU() - 1)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("stay on one CPU: %w", err)
	}
	var w worker
	return answerLines(func(line string) (string, error) {
		var name string
		var n int
		if _, err := fmt.Sscanf(line, "%q %d", &name, &n); err != nil {
			return "", fmt.Errorf("understand %q: %w", line, err)
		}
		took, err := w.measure(name, n)
		return fmt.Sprint(took.Nanoseconds()), err
	})
}

func (w *worker) measure(name string, n int) (time.Duration, error) {
	do, err := w.workload(name)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = do(n)
	return time.Since(began), err
}

func (w *worker) workload(name string) (func(int) error, error) {
	switch name {
	case "system calls":
		return func(n int) error {
			for range n {
				_ = unix.Getppid()
			}
			return nil
		}, nil
	case "forks":
		return forks, nil
	case "switches":
		return w.pipes.pingPong, w.pipes.connect(pipes)
	case "network":
		return w.socket.pingPong, w.socket.connect(loopback)
	}
	return nil, fmt.Errorf("no workload %q", name)
}

func forks(n int) error {
	for range n {
		// Not os/exec: that forks once more, to try pidfds.
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
		if err != nil {
			return fmt.Errorf("run /bin/true: %w", err)
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			return fmt.Errorf("wait for /bin/true: %w", err)
		}
	}
	return nil
}

// pingPong makes its calls past Go's scheduler, which would add switches of its own.
func (p *pair) pingPong(n int) error {
	for range n {
		if err := raw(unix.SYS_WRITE, p.out); err != nil {
			return err
		}
		if err := raw(unix.SYS_READ, p.in); err != nil {
			return err
		}
	}
	return nil
}

func raw(call uintptr, fd int) error {
	var one [1]byte
	for {
		n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&one)), 1)
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			return fmt.Errorf("pass a byte: %w", errno)
		case n == 0:
			return io.EOF
		default:
			return nil
		}
	}
}

// connect starts the peer, once.
func (p *pair) connect(make func() (own, peer pair, err error)) error {
	if p.out != 0 {
		return nil
	}
	own, peer, err := make()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	_, err = syscall.ForkExec(self, []string{self, "peer"}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2, uintptr(peer.in), uintptr(peer.out)},
	})
	if err != nil {
		return fmt.Errorf("start the peer: %w", err)
	}
	*p = own
	return errors.Join(unix.Close(peer.in), closeOther(peer))
}

func closeOther(p pair) error {
	if p.in == p.out {
		return nil
	}
	return unix.Close(p.out)
}

// runPeer ends when the other side is closed.
func runPeer() error {
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	for {
		if err := raw(unix.SYS_READ, 3); err != nil {
			return nil
		}
		if err := raw(unix.SYS_WRITE, 4); err != nil {
			return nil
		}
	}
}

func pipes() (own, peer pair, err error) {
	var there, back [2]int
	if err = errors.Join(unix.Pipe2(there[:], unix.O_CLOEXEC), unix.Pipe2(back[:], unix.O_CLOEXEC)); err != nil {
		return own, peer, fmt.Errorf("make pipes: %w", err)
	}
	return pair{back[0], there[1]}, pair{there[0], back[1]}, nil
}

// loopback is a TCP connection of this machine with itself, without Nagle's delay.
func loopback() (own, peer pair, err error) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return own, peer, fmt.Errorf("make a socket: %w", err)
	}
	defer func() { _ = unix.Close(l) }()
	if err := errors.Join(unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(l, 1)); err != nil {
		return own, peer, fmt.Errorf("listen: %w", err)
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		return own, peer, fmt.Errorf("find the port: %w", err)
	}
	a, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return own, peer, fmt.Errorf("make a socket: %w", err)
	}
	if err := unix.Connect(a, at); err != nil {
		return own, peer, fmt.Errorf("connect: %w", err)
	}
	b, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		return own, peer, fmt.Errorf("accept: %w", err)
	}
	for _, fd := range []int{a, b} {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return own, peer, fmt.Errorf("set TCP_NODELAY: %w", err)
		}
	}
	return pair{a, a}, pair{b, b}, nil
}
