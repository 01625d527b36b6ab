// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// auditPlugins reads the environment of each CNI plugin while it lives: the kernel's
// trace has no arguments, and plugins of several pods run at the same time.
type auditPlugins struct {
	trace *trace
	fd    int
	quit  chan struct{}
	done  chan struct{}
	found map[int]string // by process
	err   error
}

func watchPlugins(t *testing.T) *auditPlugins {
	t.Helper()
	p := &auditPlugins{trace: newTrace(t, 1), quit: make(chan struct{}), done: make(chan struct{}), found: map[int]string{}}
	p.trace.set(t, "buffer_percent", "0") // a reader is woken by the first event
	p.trace.set(t, "events/sched/sched_process_exec/filter", `filename ~ "*/cni/bin/*"`)
	p.trace.enable(t, "sched/sched_process_exec")
	var err error
	p.fd, err = unix.Open(filepath.Join(p.trace.dir, "trace_pipe"), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("read the trace of plugins: %v", err)
	}
	t.Cleanup(func() { p.stop(t) })
	go p.watch(t)
	return p
}

// stop ends the watch, once, and returns what was found.
func (p *auditPlugins) stop(t *testing.T) map[int]string {
	t.Helper()
	select {
	case <-p.quit:
	default:
		close(p.quit)
		<-p.done
		_ = unix.Close(p.fd)
		if p.err != nil {
			t.Errorf("watch the plugins: %v", p.err)
		}
	}
	return p.found
}

// hurry lets the calling thread run before all others: a plugin lives for some
// milliseconds, which on busy CPUs is less than a thread waits for its turn.
func hurry(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
	first := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
	if unix.SchedSetAttr(0, first, 0) == nil {
		return
	}
	const best = -20
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), best); err != nil {
		t.Logf("whoever reads the environment of plugins has to wait for its turn: %v", err)
	}
}

func (p *auditPlugins) watch(t *testing.T) {
	defer close(p.done)
	hurry(t)
	buffer := make([]byte, 1<<16)
	for {
		select {
		case <-p.quit:
			return
		default:
		}
		const milliseconds = 100
		ready := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, milliseconds); err != nil && !errors.Is(err, unix.EINTR) {
			p.err = err
			return
		}
		n, err := unix.Read(p.fd, buffer)
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			p.err = err
			return
		}
		for line := range strings.Lines(string(buffer[:max(0, n)])) {
			pid := parseTraced(t, strings.TrimRight(line, "\n")).tid
			if raw, err := os.ReadFile(procFile(pid, "environ")); err == nil && len(raw) > 0 {
				p.found[pid] = string(raw)
			}
		}
	}
}
