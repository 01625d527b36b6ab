// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// runtimeName is the base name under which a copy of this test binary opens a
// birth session.
const runtimeName = "kgtest-runtime"

// patience is how long an event may take: it bounds a failure, not a success.
const patience = 60 * time.Second

// TestMain also is the programs that the tests run: what they do is their first
// argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if act := acts[os.Args[1]]; act != nil {
			if err := act(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	code := m.Run()
	if err := errors.Join(closeEars(), shared.close()); err != nil {
		fmt.Fprintln(os.Stderr, "test/bpf:", err) // the stage knows by the path that no test says this
		code = 1
	}
	os.Exit(code)
}

// needKernel skips unless the stage has been prepared.
func needKernel(t *testing.T) {
	t.Helper()
	if os.Getenv("KG_TEST_STAGE") != "bpf" {
		t.Skip("run by make test-bpf: needs root and BPF")
	}
}

// kernel is the loaded probe in the hands of one test, whose events are kept.
type kernel struct {
	*probe.Probe
	t      *testing.T
	events chan event.Event
	kept   []event.Event
	before event.Loss
}

// listen hands the probe to a test, from here to its end.
func listen(t *testing.T) *kernel {
	t.Helper()
	needKernel(t)
	if err := shared.open(); err != nil {
		t.Fatalf("%+v", err)
	}
	k := &kernel{Probe: shared.probe, t: t, events: make(chan event.Event, 1<<16)}
	before, err := k.Probe.Lost()
	if err != nil {
		t.Fatal(err)
	}
	k.before = before
	shared.tell(k.events)
	t.Cleanup(func() {
		shared.tell(nil)
		if err := k.Disarm(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// Lost is what was lost since the test began.
func (k *kernel) Lost() (event.Loss, error) {
	now, err := k.Probe.Lost()
	now.Events -= k.before.Events
	now.Sessions -= k.before.Sessions
	now.Members -= k.before.Members
	now.Skipped -= k.before.Skipped
	return now, err
}

func (k *kernel) arm() {
	k.t.Helper()
	if _, err := k.Arm(); err != nil {
		k.t.Fatalf("%+v", err)
	}
}

// find waits for the first event that fits, among those already heard and those
// that come.
func (k *kernel) find(what string, fits func(event.Event) bool) event.Event {
	k.t.Helper()
	e, ok := k.look(patience, fits)
	if !ok {
		k.t.Fatalf("%s was not heard; heard %d other events", what, len(k.kept))
	}
	return e
}

// look is find for what may not come.
func (k *kernel) look(patience time.Duration, fits func(event.Event) bool) (event.Event, bool) {
	for _, e := range k.kept {
		if fits(e) {
			return e, true
		}
	}
	deadline := time.After(patience)
	for {
		select {
		case e := <-k.events:
			k.kept = append(k.kept, e)
			if fits(e) {
				return e, true
			}
		case <-deadline:
			return event.Event{}, false
		}
	}
}

// made waits for the making of a cgroup.
func (k *kernel) made(path string) event.Event {
	k.t.Helper()
	return k.find("the cgroup "+path, func(e event.Event) bool {
		return e.Kind == event.CgroupMkdir && e.Path == path
	})
}

// opened waits for the session of the runtime that has an argument of its own.
func (k *kernel) opened(mark string) event.Event {
	k.t.Helper()
	return k.find("the session of "+mark, func(e event.Event) bool {
		return e.Kind == event.SessionOpen && strings.Contains(strings.Join(e.Open.Args, " "), mark)
	})
}

// exited waits for the end of the session's first process.
func (k *kernel) exited(open event.Event) event.Event {
	k.t.Helper()
	return k.find("the exit", func(e event.Event) bool {
		return e.Kind == event.Exit && e.Session == open.Session && e.PID == open.PID
	})
}

// counts reads the session's counters and ends it.
func (k *kernel) counts(session uint64) event.SessionCounts {
	k.t.Helper()
	c, err := k.Counts(session)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.Forget(session); err != nil {
		k.t.Fatal(err)
	}
	return c
}

// program is this test binary under a name of its own: a link, as a copy takes as long
// on an emulated processor as what is tested, or a copy where files are elsewhere.
func program(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if os.Link(self, path) == nil {
		return path
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755) //nolint:gosec // it is to be executed
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a program's act and ends it with the test.
func start(t *testing.T, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}
