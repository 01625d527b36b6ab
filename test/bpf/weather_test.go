// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// A full ring loses events and says how many.
func TestAFullRingIsCounted(t *testing.T) {
	needKernel(t)
	p, err := probe.Load(withTypes(probe.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	if l, err := p.Lost(); err != nil || l.Total() != 0 {
		t.Fatalf("lost before anything happened: %+v, %v", l, err)
	}
	dir, _ := makeCgroup(t, "full")
	sub := filepath.Join(dir, "sub")
	// Each tells more than half a KiB, and the ring has 4 MiB: 10,000 are too many.
	made := 0
	for ; made < 10_000; made++ {
		if made%500 == 0 && lostEvents(t, p) > 100 {
			break
		}
		if err := os.Mkdir(sub, 0o755); err != nil { //nolint:gosec // cgroups are world-readable
			t.Fatal(err)
		}
		if err := os.Remove(sub); err != nil {
			t.Fatal(err)
		}
	}
	l, err := p.Lost()
	if err != nil || l.Events == 0 || l.Sessions != 0 || l.Members != 0 {
		t.Errorf("lost %+v, %v", l, err)
	}
	t.Logf("lost %d events of %d cgroups that were made and removed", l.Events, made)
}

func lostEvents(t *testing.T, p *probe.Probe) uint64 {
	t.Helper()
	l, err := p.Lost()
	if err != nil {
		t.Fatal(err)
	}
	return l.Events
}

func TestCloseLeavesNothing(t *testing.T) {
	needKernel(t)
	before := bpfFiles(t)
	p, err := probe.Load(withTypes(probe.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Arm(); err != nil {
		t.Fatal(err)
	}
	if bpfFiles(t) == before {
		t.Fatal("programs and maps do not show among the open files: the test sees nothing")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if after := bpfFiles(t); after != before {
		t.Errorf("%d BPF files before, %d after", before, after)
	}
}

// bpfFiles counts this process' programs, maps and links. The observer pins
// none, so that nothing lives on without its file.
func bpfFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.Contains(to, "bpf") {
			n++
		}
	}
	return n
}

func TestBadNamesOfRuntimes(t *testing.T) {
	needKernel(t)
	_, err := probe.Load(probe.Options{Runtimes: []string{strings.Repeat("x", 32)}})
	if err == nil || !strings.Contains(err.Error(), "at most 31 bytes") {
		t.Errorf("%v", err)
	}
}

// Without privileges the kernel's refusal becomes one line that says what to do.
func TestWithoutPrivileges(t *testing.T) {
	needKernel(t)
	out, err := loadAsNobody(t)
	if err == nil || strings.Contains(out, "\n") || !strings.Contains(out, "run as root or with CAP_BPF and CAP_PERFMON") {
		t.Errorf("%v: %q", err, out)
	}
}

// The two capabilities are all that the programs need, verifier and helpers
// included.
func TestLeastPrivileges(t *testing.T) {
	needKernel(t)
	// Linux 5.10 counts maps against this limit, which is the node's to raise.
	unlimited := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unlimited); err != nil {
		t.Logf("the limit of locked memory stays: %v", err)
	}
	if out, err := loadAsNobody(t, unix.CAP_BPF, unix.CAP_PERFMON); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// loadAsNobody loads the programs as a user without privileges but the given
// capabilities, and returns what that says.
func loadAsNobody(t *testing.T, capabilities ...uintptr) (string, error) {
	t.Helper()
	path := program(t, "unprivileged")
	for dir := path; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user is to reach it
			t.Fatal(err)
		}
	}
	cmd := exec.Command(path, "load")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: capabilities,
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
