// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/groups"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
	"golang.org/x/sys/unix"
)

// runLean is a process that leans in on the cgroups that it is told ("start ID",
// "stop ID"), as the observer does: whom the observer leans in on is its own
// choice, and this one is to be told.
func runLean() error {
	l, err := bursts.Load(bursts.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	return answerLines(func(line string) (string, error) {
		var verb string
		var id uint64
		if _, err := fmt.Sscan(line, &verb, &id); err != nil {
			return "", fmt.Errorf("understand %q: %w", line, err)
		}
		if verb == "start" {
			return "listening", l.Start(id)
		}
		r, err := l.Stop(id)
		return fmt.Sprintf("%d bursts, %d lost", len(r.Bursts), r.Lost), err
	})
}

// groupID is a cgroup's id in the cpu controller's hierarchy.
func groupID(g *groups.Groups, path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(g.Dir(path), &st); err != nil {
		return 0, fmt.Errorf("find a cgroup's id: %w", err)
	}
	return st.Ino, nil
}
