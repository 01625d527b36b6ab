// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// clients is the process outside the container's cgroup that asks it to work.
func clients(argument, port string) error {
	s, t, err := begin(argument)
	if err != nil {
		return err
	}
	if s.Kind != kindClosed {
		fd := firstPair
		if s.byTCP() {
			if fd, err = dial(port); err != nil {
				return err
			}
		}
		threads(1, func(int) { arrive(t, s, fd) })
		select {}
	}
	for i := range s.Threads {
		fd := firstPair + i
		if s.TCP {
			if fd, err = dial(port); err != nil {
				return err
			}
		}
		threads(1, func(int) { ask(t, s, fd, i) })
	}
	select {}
}

func dial(port string) (int, error) {
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0, fmt.Errorf("read the workload's port: %w", err)
	}
	c, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: n})
	if err != nil {
		return 0, fmt.Errorf("reach the workload: %w", err)
	}
	return blocking(c)
}

// arrive asks without waiting for answers.
func arrive(t *traffic, s shape, fd int) {
	if s.byTCP() {
		_ = syscall.Shutdown(fd, syscall.SHUT_RD)
	}
	c := newSchedule(t, s, 0)
	for {
		c.wait()
		for range max(s.Together, 1) {
			if !send(fd, c.cpu()) {
				return
			}
		}
	}
}

// ask waits for the answer, then thinks.
func ask(t *traffic, s shape, fd, i int) {
	c, reply := newSchedule(t, s, i), make([]byte, 8)
	for {
		c.think()
		if !send(fd, c.cpu()) {
			return
		}
		if !rawRead(fd, reply) {
			return
		}
	}
}

func send(fd int, cpu time.Duration) bool {
	return rawWrite(fd, binary.LittleEndian.AppendUint64(nil, uint64(cpu)))
}
