// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

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
