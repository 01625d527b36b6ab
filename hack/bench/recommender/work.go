// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// firstPair is the descriptor of the first socket pair in a workload and in its
// clients: those of exec.Cmd's ExtraFiles.
const firstPair = 3

// environment keeps Go's runtime out of a workload of plain threads: a P for each,
// so that none waits for another, no collector, no signals to long computations.
func (s shape) environment(clients bool) []string {
	if s.Kind == kindGo && !clients {
		return append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(s.Threads))
	}
	return append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(s.Threads+4), "GOGC=off", "GODEBUG=asyncpreemptoff=1")
}

// begin reads the shape of a process that the bench started and waits until it is
// in its cgroup and gets its first traffic. The process ends when the bench does,
// whatever ends that.
func begin(argument string) (shape, *traffic, error) {
	var s shape
	if err := json.Unmarshal([]byte(argument), &s); err != nil {
		return s, nil, fmt.Errorf("read the shape: %w", err)
	}
	in, t := bufio.NewReader(os.Stdin), &traffic{}
	first := &piece{}
	if _, err := fmt.Fscanln(in, &first.seed); err != nil {
		return s, nil, fmt.Errorf("wait for the start: %w", err)
	}
	first.start = monotonic()
	t.now.Store(first)
	go func() {
		t.follow(in)
		os.Exit(0)
	}()
	return s, t, nil
}

// work is the process in the container's cgroup.
func work(argument string) error {
	s, t, err := begin(argument)
	if err != nil {
		return err
	}
	switch s.Kind {
	case kindPoisson:
		threads(s.Threads, func(int) { serve(firstPair, false) })
	case kindPool:
		return handOut(s)
	case kindClosed:
		return answer(s)
	case kindTimers:
		start := monotonic()
		threads(s.Threads, func(int) { tick(s, start) })
	case kindCron:
		return cron(t, s)
	case kindBatch:
		threads(s.Threads, func(int) { burn(1 << 62) })
	case kindGo:
		return parallel(s)
	default:
		return fmt.Errorf("no workload of the kind %q", s.Kind)
	}
	select {}
}

// threads starts n threads that each do one thing, forever.
func threads(n int, do func(i int)) {
	for i := range n {
		go func() {
			runtime.LockOSThread()
			do(i)
		}()
	}
}

// serve takes requests from a socket, as soon as it is free, and computes as long
// as each says, until the clients are gone.
func serve(fd int, answered bool) {
	request := make([]byte, 8)
	for rawRead(fd, request) {
		burn(time.Duration(binary.LittleEndian.Uint64(request)))
		if answered && !rawWrite(fd, request) {
			return
		}
	}
}

// handOut is a pool with a dispatcher: the workers are woken by their own kind.
func handOut(s shape) error {
	queue := make([]int, 2)
	if err := syscall.Pipe(queue); err != nil {
		return fmt.Errorf("make the pool's queue: %w", err)
	}
	threads(s.Threads, func(int) { serve(queue[0], false) })
	threads(1, func(int) {
		request := make([]byte, 8)
		for rawRead(firstPair, request) && rawWrite(queue[1], request) {
			continue
		}
	})
	select {}
}

// tick computes at each multiple of Every; multiples that pass meanwhile are left
// out, as a ticker does.
func tick(s shape, start time.Duration) {
	for {
		n := (monotonic()-start)/s.Every + 1
		sleepUntil(start + n*s.Every)
		burn(s.CPU)
	}
}

// cron sleeps, then wakes its other threads and computes with them.
func cron(t *traffic, s shape) error {
	call := make([]int, 2)
	if err := syscall.Pipe(call); err != nil {
		return fmt.Errorf("make the call for the other threads: %w", err)
	}
	threads(s.Threads-1, func(int) { serve(call[0], false) })
	threads(1, func(int) {
		c := newSchedule(t, s, 0)
		request := binary.LittleEndian.AppendUint64(nil, uint64(s.CPU))
		for {
			c.wait()
			c.next = max(c.next, monotonic()-s.Every) // bursts that it missed are not made up for
			for range s.Threads - 1 {
				if !rawWrite(call[1], request) {
					return
				}
			}
			burn(s.CPU)
		}
	})
	select {}
}
