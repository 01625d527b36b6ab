// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"net"
)

// serve answers each line with one of its own, after its CPU time.
func serve(o options) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	work := make(chan chan<- struct{})
	onThreads(o.threads, func() {
		for done := range work {
			burn(o.cpu)
			done <- struct{}{}
		}
	})
	for {
		connection, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go answer(connection, work)
	}
}

func answer(c net.Conn, work chan<- chan<- struct{}) {
	defer func() { _ = c.Close() }()
	done := make(chan struct{}, 1)
	for lines := bufio.NewScanner(c); lines.Scan(); {
		work <- done
		<-done
		if _, err := fmt.Fprintln(c, "ok"); err != nil {
			return
		}
	}
}
