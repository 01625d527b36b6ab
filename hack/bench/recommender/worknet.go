// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
)

// answer serves a closed loop: one thread for each connection.
func answer(s shape) error {
	if !s.TCP {
		threads(s.Threads, func(i int) { serve(firstPair+i, true) })
		select {}
	}
	l, err := listen()
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		fd, err := blocking(c.(*net.TCPConn))
		if err != nil {
			return err
		}
		threads(1, func(int) { serve(fd, true) })
	}
}

// blocking turns a connection into a descriptor on which a thread can block.
func blocking(c *net.TCPConn) (int, error) {
	f, err := c.File()
	if err != nil {
		return 0, fmt.Errorf("take the connection's descriptor: %w", err)
	}
	fd, err := syscall.Dup(int(f.Fd()))
	if err == nil {
		err = syscall.SetNonblock(fd, false)
	}
	if err := errors.Join(err, f.Close(), c.Close()); err != nil {
		return 0, fmt.Errorf("keep the connection's descriptor: %w", err)
	}
	return fd, nil
}

// listen tells the bench its port on standard output.
func listen() (net.Listener, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	return l, nil
}

// parallel is a Go server that spreads each request over as many goroutines as it
// has Ps, or whose collector does.
func parallel(s shape) error {
	rounds := calibrated()
	keep := newHeap(s.Live)
	l, err := listen()
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			request := make([]byte, 8)
			for {
				if _, err := io.ReadFull(c, request); err != nil {
					return
				}
				ns := binary.LittleEndian.Uint64(request)
				keep.churn(s.Garbage)
				var all sync.WaitGroup
				for range s.Threads {
					all.Go(func() {
						x := uint64(1)
						spin(&x, int(ns*uint64(rounds)/1e6))
					})
				}
				all.Wait()
			}
		}()
	}
}

// node is a piece of a heap that the collector has to follow.
type node struct {
	next *node
	data [6]uint64
}

// heap is a chain of live nodes for each of a few roots, so that several of the
// collector's workers find something to do.
type heap struct{ roots [64]*node }

const nodeSize = 56

func newHeap(bytes int) *heap {
	h := &heap{}
	h.grow(bytes)
	return h
}

func (h *heap) grow(bytes int) {
	for i := range bytes / nodeSize {
		root := &h.roots[i%len(h.roots)]
		*root = &node{next: *root}
	}
}

// churn makes garbage.
func (h *heap) churn(bytes int) {
	var dropped heap
	dropped.grow(bytes)
	if bytes > 0 && dropped.roots[0] != nil {
		dropped.roots[0].data[0]++
	}
}
