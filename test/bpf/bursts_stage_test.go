// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
)

// listener is that of all tests, for the reason of shared: nobody is listened to
// between two tests.
var listener *bursts.Listener

// earsOptions are those of the listener.
var earsOptions bursts.Options

// ears hands the listener to bursts to a test. One that failed may have left it
// listening: the next test has a new one.
func ears(t *testing.T) *bursts.Listener {
	t.Helper()
	needKernel(t)
	if listener == nil {
		var err error
		if listener, err = bursts.Load(earsOptions); err != nil {
			t.Fatalf("%+v", err)
		}
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		if err := closeEars(); err != nil {
			t.Error(err)
		}
	})
	return listener
}

func closeEars() error {
	if listener == nil {
		return nil
	}
	err := listener.Close()
	listener = nil
	return err
}

// act starts an act in the cgroup and waits until it is ready; more is called with
// what it says before that.
func act(t *testing.T, name, dir string, d time.Duration, pinned string, more ...func(line string)) *stage {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "burst", name, dir, strconv.FormatInt(d.Milliseconds(), 10), pinned, limitedAbove(dir))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &stage{in: in, lines: bufio.NewReader(out), kill: func() { _, _ = cmd.Process.Kill(), cmd.Wait() }}
	t.Cleanup(s.kill)
	for {
		line, err := s.line()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if line == "ready\n" {
			return s
		}
		for _, f := range more {
			f(strings.TrimSpace(line))
		}
	}
}

// limitedAbove is the cgroup's folder, or that above it in a test that has one below
// another: its limit, and so its cpu.stat, is what counts.
func limitedAbove(dir string) string {
	if above := filepath.Dir(dir); strings.HasPrefix(filepath.Base(above), "kernel-gossip-test-") {
		return above
	}
	return dir
}

// begin lets the act go.
func (s *stage) begin(t *testing.T) {
	t.Helper()
	if _, err := s.in.Write([]byte{'g'}); err != nil {
		t.Fatal(err)
	}
}

// said waits for what the act says of its deeds.
func (s *stage) said(t *testing.T) []deed {
	t.Helper()
	var deeds []deed
	line, err := s.line()
	if err == nil {
		err = json.Unmarshal([]byte(line), &deeds)
	}
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return deeds
}

func eavesdrop(t *testing.T, l *bursts.Listener, dir string) {
	t.Helper()
	if err := l.Start(inode(t, dir)); err != nil {
		t.Fatalf("%+v", err)
	}
}

func stopListening(t *testing.T, l *bursts.Listener, dir string) event.Recording {
	t.Helper()
	r, err := l.Stop(inode(t, dir))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return r
}

// record plays an act from its beginning to its end, and listens to its cgroup.
func record(t *testing.T, l *bursts.Listener, name, dir string, d time.Duration, pinned string) (event.Recording, []deed) {
	t.Helper()
	s := act(t, name, dir, d, pinned)
	eavesdrop(t, l, dir)
	s.begin(t)
	deeds := s.said(t)
	return stopListening(t, l, dir), deeds
}

// sum is all of a thread's bursts together, Woken to Ended as long as all of them were.
func sum(r event.Recording, tid uint32) (total event.Burst, n int) {
	for _, b := range r.Bursts {
		if b.TID != tid {
			continue
		}
		total.CPU += b.CPU
		total.Ended += b.Ended - b.Woken
		total.Parked += b.Parked
		total.Queued += b.Queued
		total.PreemptorTime += b.PreemptorTime
		total.Switches += b.Switches
		n++
	}
	return total, n
}

// near says whether two times are the same but for a share of the larger and an amount.
func near(a, b, share float64, amount time.Duration) bool {
	apart := a - b
	if apart < 0 {
		apart = -apart
	}
	return apart <= share*max(a, b)+float64(amount)
}

// insistent repeats a comparison that fails: runs of programs are left out (7.x), and a
// busy machine does other things in between. compare says what is wrong.
func insistent(t *testing.T, compare func() (lost uint64, wrong string)) {
	t.Helper()
	const tries = 3
	for try := 1; ; try++ {
		lost, wrong := compare()
		if wrong == "" {
			return
		}
		if try == tries {
			t.Fatalf("try %d: %s; lost: %d", try, wrong, lost)
		}
		t.Logf("try %d: %s; lost: %d", try, wrong, lost)
	}
}

func subgroup(t *testing.T, dir, name string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "cgroup.subtree_control")); err == nil {
		write(t, filepath.Join(dir, "cgroup.subtree_control"), "+cpu")
	}
	sub := filepath.Join(dir, name)
	if err := os.Mkdir(sub, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(t, sub) })
	return sub
}
