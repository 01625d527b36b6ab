// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/perf"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

func TestPerfBuffersAreToldInOrder(t *testing.T) {
	r := &perCPU{}
	var told []uint64
	hear := func(e event.Event) { told = append(told, e.Time) }
	for _, round := range []struct {
		came   []uint64
		before uint64
		want   []uint64
	}{
		{[]uint64{30, 10}, 0, nil},
		{[]uint64{20, 40}, 30, []uint64{10, 20}},
		{nil, 35, []uint64{30}},
		{[]uint64{50}, 100, []uint64{40, 50}},
	} {
		told = nil
		for _, at := range round.came {
			r.held = append(r.held, event.Event{Time: at})
		}
		r.tell(round.before, hear)
		if !slices.Equal(told, round.want) {
			t.Errorf("told %v, want %v", told, round.want)
		}
	}
	if len(r.held) != 0 {
		t.Errorf("held back %v", r.held)
	}
}

// stream is perf buffers into which as much is written as is read, by two CPUs: the one's
// events are all older than the other's, and come last. It dries up after n events.
type stream struct{ read, n int }

func (*stream) SetDeadline(time.Time) {}

func (s *stream) ReadInto(r *perf.Record) error {
	if s.read == s.n {
		return os.ErrDeadlineExceeded
	}
	s.read++
	at := s.read
	if at <= s.n/2 {
		at += s.n
	}
	e := observerKgValueEvent{}
	e.H.Kind, e.H.TimeNs = 6, uint64(at)
	r.RawSample = unsafe.Slice((*byte)(unsafe.Pointer(&e)), unsafe.Sizeof(e))
	return nil
}

// Events that never end do not end the reader's telling, nor grow what it holds.
func TestPerfBuffersUnderLoad(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &stream{n: 1 << 40}
	r := &perCPU{Reader: new(perf.Reader), records: s}
	told, most := 0, 0
	err := r.rounds(ctx, func(event.Event) {
		most = max(most, len(r.held))
		if told++; told == 10*roundMax {
			stop()
		}
	})
	if err != nil || told < 10*roundMax || most > heldMax || cap(r.held) > 2*heldMax {
		t.Errorf("told %d of %d, held %d, room for %d, %v", told, s.read, most, cap(r.held), err)
	}
}

// A backlog that fits is told in order, however many rounds it takes.
func TestABacklogOfPerfBuffers(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := &stream{n: heldMax - 1}
	r := &perCPU{Reader: new(perf.Reader), records: s}
	last, told := uint64(0), 0
	err := r.rounds(ctx, func(e event.Event) {
		if e.Time < last {
			t.Fatalf("%d after %d", e.Time, last)
		}
		if e.Kind == event.UpTo {
			return
		}
		last = e.Time
		if told++; told == s.n {
			stop()
		}
	})
	if err != nil || told != s.n {
		t.Errorf("told %d, %v", told, err)
	}
}

func TestSizeOfPerfBuffers(t *testing.T) {
	for cpus, want := range map[int]int{1: 1 << 20, 2: 1 << 20, 4: 1 << 20, 8: 1 << 19, 32: 128 << 10, 256: 128 << 10} {
		if size := perfSize(cpus); size != want {
			t.Errorf("%d CPUs: %d, want %d", cpus, size, want)
		}
	}
}

func TestHierarchyOf(t *testing.T) {
	for text, want := range map[string]uint32{
		"0::/user.slice\n": 0,
		"12:memory:/\n4:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/\n": 4,
		"3:cpuset:/\n5:cpuacct:/cpu\n0::/\n":                        0,
	} {
		file := filepath.Join(t.TempDir(), "cgroup")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := hierarchyOf(file); err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	if _, err := hierarchyOf(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}
