// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// waiting is how long the acts wait.
const waiting = 500 * time.Millisecond

// spell is one way to wait, and what a certificate calls it.
type spell struct {
	way  string
	told func(*v1alpha1.PhaseWaits) int64
	args func(*testing.T) []string
	// hold prepares what the act waits for and returns what lets it go on.
	hold func(t *testing.T, args []string, cmd *exec.Cmd) (release func())
}

var spells = []spell{
	{way: "timer", told: func(w *v1alpha1.PhaseWaits) int64 { return w.TimerMicroseconds }},
	{way: "futex", told: func(w *v1alpha1.PhaseWaits) int64 { return w.LockMicroseconds }},
	{way: "flock", told: func(w *v1alpha1.PhaseWaits) int64 { return w.LockMicroseconds }, args: anEmptyFile, hold: holdLock},
	{way: "read", told: func(w *v1alpha1.PhaseWaits) int64 { return w.MessageMicroseconds }, hold: holdPipe},
	{way: "process", told: func(w *v1alpha1.PhaseWaits) int64 { return w.ProcessMicroseconds }, args: aRuntime},
	{way: "accept", told: func(w *v1alpha1.PhaseWaits) int64 { return w.NetworkMicroseconds }},
	{way: "recv", told: func(w *v1alpha1.PhaseWaits) int64 { return w.NetworkMicroseconds }},
}

func anEmptyFile(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lock")
	write(t, file, "")
	return []string{file}
}

func aRuntime(t *testing.T) []string {
	t.Helper()
	return []string{program(t, runtimeName)}
}

func holdLock(t *testing.T, args []string, _ *exec.Cmd) func() {
	t.Helper()
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

func holdPipe(t *testing.T, _ []string, cmd *exec.Cmd) func() {
	t.Helper()
	pipe, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = pipe.Close() }
}

// Each way to wait is told by its name, for as long as the act that waited says
// that it did by its own clock.
func TestWaitsAgainstTheWaiter(t *testing.T) {
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	for _, s := range spells {
		t.Run(s.way, func(t *testing.T) {
			k.insist(t, func(int) string { return k.wait(t, path, s) })
		})
	}
}

// insist repeats a comparison that fails while the kernel leaves out runs of
// programs (7.x), which it counts, and any other once: on a busy machine an act's
// own account may be disturbed. compare says what is wrong, or nothing.
func (k *kernel) insist(t *testing.T, compare func(try int) string) {
	t.Helper()
	const tries = 5
	for try := 1; ; try++ {
		before, err := k.Lost()
		if err != nil {
			t.Fatal(err)
		}
		wrong := compare(try)
		if wrong == "" {
			return
		}
		after, err := k.Lost()
		if err != nil {
			t.Fatal(err)
		}
		if after == before && try > 1 || try == tries {
			t.Fatalf("try %d: %s; lost meanwhile: %+v, before: %+v", try, wrong, after, before)
		}
		t.Logf("try %d: %s; the kernel left out %d runs meanwhile", try, wrong, after.Skipped-before.Skipped)
	}
}

// waits runs an act in a session of its own and tells both sides.
func (k *kernel) waits(t *testing.T, path string, s spell) (said account, phase v1alpha1.Phase, wrong string) {
	t.Helper()
	var more []string
	if s.args != nil {
		more = s.args(t)
	}
	cmd := exec.Command(path, append([]string{"wait", s.way, fmt.Sprint(waiting.Milliseconds()), "-"}, more...)...)
	release := func() {}
	if s.hold != nil {
		release = s.hold(t, more, cmd)
	}
	said = listenTo(t, cmd, release)
	open, exit, wrong := k.life(cmd.Process.Pid)
	if wrong != "" {
		return said, phase, wrong
	}
	certificate := k.certify(t, open, exit)
	for _, phase := range certificate.Phases {
		if phase.Name == "ContainerCreate" && phase.Waits != nil {
			return said, phase, ""
		}
	}
	return said, phase, fmt.Sprintf("no waits in %+v", certificate.Phases)
}

// listenTo runs an act to its end. It is released as long after it says that it
// is ready as it is to wait.
func listenTo(t *testing.T, cmd *exec.Cmd, release func()) account {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(waiting, release)
	var said account
	if err := json.NewDecoder(lines).Decode(&said); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return said
}

// certify hands what was heard of a session to the births, as the observer does,
// and returns what they make of it.
func (k *kernel) certify(t *testing.T, open, exit event.Event) v1alpha1.PodBirthCertificateSpec {
	t.Helper()
	name, err := syscalls.Names()
	if err != nil {
		t.Fatal(err)
	}
	const uid = "0b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11"
	pod := attribution.Identity{PodUID: uid}
	who := attribution.Identity{PodUID: uid, ContainerID: strings.Repeat("ab", 32), Role: event.RoleRuntime, Op: "create"}
	book := birth.NewBook(birth.Config{
		WithoutAPI: true, Timeout: time.Hour, SyscallName: name,
		Wall: func(at uint64) time.Time { return time.Unix(0, int64(at)) },
	})
	nothing := func(uint64) birth.Totals { return birth.Totals{} }
	book.Hear(attribution.Attributed{Event: event.Event{Kind: event.CgroupMkdir, Time: open.Time}, Who: pod}, nothing)
	for _, e := range k.kept {
		switch {
		case e.Session != open.Session:
		case e.Kind == event.OffCPU:
			book.Stretch(e)
		default:
			book.Hear(attribution.Attributed{Event: e, Who: who}, nothing)
		}
	}
	c, ok := book.Close(uid, birth.Closing{
		Now: exit.Time + 1, Counts: map[uint64]event.SessionCounts{open.Session: k.counts(open.Session)},
		Deaf: []birth.Span{{From: 0, To: 1}}, Name: attribution.PodName{UID: uid, Namespace: "ns", Name: "act"},
	})
	if !ok {
		t.Fatal("no certificate")
	}
	return c.Spec
}

// blocked is how long the thread neither ran nor could have, by its own clock and
// the kernel's account; without that, all that was not on a CPU.
func (a account) blocked() time.Duration {
	if a.Ran < 0 {
		return time.Duration(a.Took - a.CPU)
	}
	return time.Duration(a.Took - a.Ran - a.Queued)
}

// wait lets an act wait and says what is wrong with what is told of it.
func (k *kernel) wait(t *testing.T, path string, s spell) string {
	t.Helper()
	before := stolen(t)
	said, phase, wrong := k.waits(t, path, s)
	if wrong != "" {
		return wrong
	}
	return s.compare(t, said, phase, stolen(t)-before)
}

// compare says what is wrong with a wait. Go's other threads do a little
// meanwhile: what they are on a CPU is no wait, that they could be is another one,
// and one of them sleeps on a timer for up to 10 ms at a time.
func (s *spell) compare(t *testing.T, said account, phase v1alpha1.Phase, gone time.Duration) string {
	t.Helper()
	// What the hypervisor took while it slept is in the one account or the other. On an emulated CPU the account itself is up to a tenth wrong: it was seen to let
	// a thread sleep for 470 ms in a nanosleep of 500.
	apart := 30*time.Millisecond + waiting/10 + gone
	told, blocked := time.Duration(s.told(phase.Waits))*time.Microsecond, said.blocked()
	others := time.Duration(phase.DurationMicroseconds-*phase.WaitMicroseconds+phase.Waits.RunnableMicroseconds) * time.Microsecond
	t.Logf("%s: told %s; by the act's own account it was blocked for %s, and the whole took %s; the phase of %d µs: %+v",
		s.way, told, blocked, time.Duration(said.Took), phase.DurationMicroseconds, *phase.Waits)
	if told > blocked+apart || told < blocked-others-apart {
		return fmt.Sprintf("%s: told %s; by the act's own account it was blocked for %s: %+v", s.way, told, blocked, *phase.Waits)
	}
	return ""
}

// stolen is how long this machine's CPUs have been without one of their host.
func stolen(t *testing.T) time.Duration {
	t.Helper()
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	const before, tick = 8, 10 * time.Millisecond // fields before it, and USER_HZ
	fields := strings.Fields(string(raw))
	n, err := strconv.Atoi(fields[before])
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(n) * tick
}
