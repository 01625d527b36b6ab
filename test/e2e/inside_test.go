// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// readsItself has a container of cgroup v2 tell its own counters, between two readings
// of its node's clock.
const readsItself = "adjtimex && cat /sys/fs/cgroup/cpu.stat && adjtimex"

// insideSampler reads the CPU counters of a container from within, over and over, by
// the clock of a node that is not this machine.
func (s *scene) insideSampler(p *corev1.Pod) *sampler {
	s.t.Helper()
	samples := &sampler{uid: string(p.UID), readings: map[string][]reading{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			out, err := s.kubectlCommand(ctx, "exec", p.Name, "-c", app, "--", "sh", "-c", readsItself).Output()
			if r, ok := parseInside(string(out)); ok && err == nil {
				samples.mu.Lock()
				samples.readings[app] = append(samples.readings[app], r)
				samples.mu.Unlock()
			}
			select {
			case <-ctx.Done():
			case <-time.After(samplingInterval):
			}
		}
	}()
	s.t.Cleanup(func() { cancel(); <-done })
	return samples
}

// kubectlCommand is the real one, in the scene's namespace.
func (s *scene) kubectlCommand(ctx context.Context, args ...string) *exec.Cmd {
	program, err := exec.LookPath("kubectl")
	if err != nil {
		program = filepath.Join(os.Getenv("KG_NODE_BIN"), "kubectl")
	}
	return exec.CommandContext(ctx, program, append([]string{"-n", s.namespace}, args...)...)
}

// parseInside reads what readsItself prints; false if that is not all of it.
func parseInside(text string) (reading, bool) {
	var r reading
	var seconds int64
	clocks, lines := 0, 0
	for line := range strings.Lines(text) {
		if m := clockWord.FindStringSubmatch(line); m != nil {
			n, _ := strconv.ParseInt(m[2], 10, 64)
			switch {
			case m[1] == "sec":
				seconds = n
			case clocks == 0:
				r.from, clocks = time.Unix(seconds, n*1000), 1
			default:
				r.to, clocks = time.Unix(seconds, n*1000), 2
			}
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			continue
		}
		for name, field := range map[string]*uint64{"nr_periods": &r.periods, "nr_throttled": &r.throttled, "usage_usec": &r.usage} {
			if name == key {
				*field, lines = n, lines+1
			}
		}
	}
	r.usage *= 1000
	return r, clocks == 2 && lines == 3
}

// TestParseInside needs no cluster.
func TestParseInside(t *testing.T) {
	clock := func(sec, usec string) string {
		return "    mode:         0\n    time.tv_sec:  " + sec + "\n    time.tv_usec: " + usec + "\n    return value: 0\n"
	}
	text := clock("100", "5") + "usage_usec 7\nuser_usec 3\nnr_periods 4\nnr_throttled 2\n" + clock("101", "6")
	r, ok := parseInside(text)
	if want := (reading{time.Unix(100, 5000), time.Unix(101, 6000), bandwidth{4, 2, 7000}}); !ok || r != want {
		t.Errorf("%+v, %t, want %+v", r, ok, want)
	}
	if _, ok := parseInside(clock("100", "5") + "usage_usec 7\n"); ok {
		t.Error("half of it is taken for all")
	}
}
