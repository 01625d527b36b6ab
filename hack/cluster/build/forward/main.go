// SPDX-License-Identifier: Apache-2.0

// Command forward lets ordinary programs of this machine reach one TCP port
// inside another network namespace: it listens on a loopback address here and
// dials there. Nothing is routed between the two namespaces.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:16443", "loopback address to listen on, in the network namespace of the caller")
	netns := flag.String("netns", "", "file of the network namespace to dial in")
	to := flag.String("to", "127.0.0.1:6443", "address to dial there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *netns, *to); err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done. It refuses to listen on anything but loopback.
func run(ctx context.Context, listen, netns, to string) error {
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if !address.IP.IsLoopback() {
		return fmt.Errorf("listen address %s: only a loopback address is allowed", listen)
	}
	dial, err := dialerIn(ctx, netns, to)
	if err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		near, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go serve(near, dial)
	}
}

type dialResult struct {
	conn net.Conn
	err  error
}

// dialerIn starts the one thread that lives in the other namespace and returns
// the function that dials from there. A socket keeps the namespace that it was
// made in, so only the dialing needs that thread, and it is never given back.
func dialerIn(ctx context.Context, netns, to string) (func() (net.Conn, error), error) {
	requests := make(chan chan<- dialResult)
	entered := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := enter(netns)
		entered <- err
		if err != nil {
			return
		}
		for {
			select {
			case reply := <-requests:
				conn, err := net.Dial("tcp", to)
				reply <- dialResult{conn, err}
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := <-entered; err != nil {
		return nil, err
	}
	return func() (net.Conn, error) {
		reply := make(chan dialResult, 1)
		select {
		case requests <- reply:
			result := <-reply
			return result.conn, result.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}, nil
}

func enter(netns string) error {
	file, err := os.Open(netns)
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer func() { _ = file.Close() }()
	if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", netns, err)
	}
	return nil
}

// serve copies in both directions and passes on each side's end of stream.
func serve(near net.Conn, dial func() (net.Conn, error)) {
	defer func() { _ = near.Close() }()
	far, err := dial()
	if err != nil {
		slog.Warn("connection refused", "error", err)
		return
	}
	defer func() { _ = far.Close() }()
	var both sync.WaitGroup
	both.Go(func() { pass(far, near) })
	both.Go(func() { pass(near, far) })
	both.Wait()
}

// pass copies until the end of from. An error means that the connection broke:
// both sides are closed then, or the other direction would wait for ever.
func pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		_ = from.Close()
		return
	}
	if tcp, ok := to.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}
