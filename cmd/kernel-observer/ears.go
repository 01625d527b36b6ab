// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// ears listen to bursts, where the kernel lets them.
type ears struct {
	*observer.Ears
	listener *bursts.Listener
	log      *slog.Logger
}

// newEars loads what hears bursts. Without it whispers have no bursts and
// nothing is predicted: nil, and one warning.
func newEars(o *options, k *kernel, log *slog.Logger) *ears {
	if o.leanIn == 0 || k.Plan().Way(hooks.Bursts) == hooks.Off {
		return nil
	}
	// Some may come between two looks at how many there are.
	l, err := bursts.Load(bursts.Options{MaxBursts: observer.BurstsMax * 5 / 4, Run: k.Plan().Way(hooks.Bandwidth)})
	if err != nil {
		k.refuse(hooks.Bursts, hooks.Typed, err)
		log.Warn("bursts cannot be listened to: whispers tell how often a limit struck, not whom it hurt or which would do", "error", err)
		return nil
	}
	return &ears{observer.NewEars(l, k.ReadGroup, readNode, log), l, log}
}

func (e *ears) close() {
	if err := e.listener.Close(); err != nil {
		e.log.Error("cannot unload the BPF programs that hear bursts", "error", err)
	}
}

// readNode reads how the node's CPUs have been used.
func readNode() (cpu.Node, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpu.Node{}, fmt.Errorf("read how the CPUs were used: %w", err)
	}
	return cpu.ParseNode(string(raw), probe.Now())
}

// weightsV2 is true where the cpu controller is in no hierarchy of cgroup v1.
func weightsV2() bool {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 && slices.Contains(strings.Split(f[1], ","), "cpu") {
			return false
		}
	}
	return true
}
