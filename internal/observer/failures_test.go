// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// failing is a kernel whose bandwidth cannot be read.
type failing struct {
	silent
	err error
}

func (k *failing) ReadGroup(uint64, uint64) (event.Group, error) { return event.Group{}, k.err }

func logged(t *testing.T, k Kernel) (*Engine, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	c := Config{CPU: cpu.DefaultConfig()}
	c.CPU.Wall = func(at uint64) time.Time { return time.Unix(0, int64(at)) }
	c.Birth.Wall = c.CPU.Wall
	e, err := NewEngine(c, k, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return e, &out
}

// That a cgroup is gone is no failure, nor that nobody reads; all else is said.
func TestReadingsThatFail(t *testing.T) {
	for err, want := range map[error]uint64{
		event.ErrGone: 0, fmt.Errorf("bandwidth: %w", event.ErrUnread): 0,
		fmt.Errorf("read a cgroup: %w", unix.EMFILE): 1,
	} {
		e, out := logged(t, &failing{err: err})
		e.Pod(podOfEpisode(false), 1e9)
		e.Throttling(2e9)
		if got := e.Stats().KernelErrors; got != want || (want > 0) != strings.Contains(out.String(), "cannot read a cgroup's bandwidth") {
			t.Errorf("%v: %d errors, said %q", err, got, out)
		}
	}
}

// Of each kind one line a minute is said, whatever fails beside it.
func TestFailuresAreSaidByTheirKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, out := logged(t, &silent{})
		for range 600 {
			e.kernelError("do this", errors.New("x"))
			e.kernelError("do that", errors.New("y"))
			time.Sleep(100 * time.Millisecond)
		}
		if n := strings.Count(out.String(), "cannot do"); n != 2 || e.Stats().KernelErrors != 1200 {
			t.Errorf("%d lines of %d errors within a minute", n, e.Stats().KernelErrors)
		}
		out.Reset()
		e.kernelError("do that", errors.New("y"))
		time.Sleep(24 * time.Hour)
		e.kernelError("do that", errors.New("y"))
		if n := strings.Count(out.String(), "cannot do that"); n != 2 || !strings.Contains(out.String(), "times=600") {
			t.Errorf("said later: %q", out)
		}
	})
}
