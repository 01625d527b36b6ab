// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
)

// listen is the workload that is born: it listens and waits.
func listen() error {
	l, err := net.Listen("tcp4", "0.0.0.0:8080")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		_ = c.Close()
	}
}

// spin is the workload that runs into its limit: it never waits for anything.
func spin() {
	for i := 0; ; i++ {
		_ = i
	}
}
