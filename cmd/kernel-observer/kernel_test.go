// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

func termsOf(t *testing.T, without string) terms {
	t.Helper()
	var names []string
	if without != "" {
		names = strings.Split(without, ",")
	}
	taken, err := hooks.ParseWithout(names)
	if err != nil {
		t.Fatal(err)
	}
	return terms{without: taken, held: hooks.Choose(hooks.Offer{}, taken), failed: map[hooks.Hook]map[hooks.Way]string{}}
}

func TestPlans(t *testing.T) {
	type ways map[hooks.Hook]hooks.Way
	for name, test := range map[string]struct {
		without string
		change  func(*terms)
		want    ways
	}{
		"all there is": {"", nil, ways{hooks.CgroupMkdir: hooks.Typed, hooks.Bandwidth: hooks.TestRun, hooks.Bursts: hooks.Typed}},
		"no BPF": {"", func(t *terms) { t.noBPF, t.held = errors.New("not permitted"), nil }, ways{
			hooks.CgroupMkdir: hooks.Inotify, hooks.Bandwidth: hooks.Files, hooks.Exec: hooks.Off, hooks.CgroupAttach: hooks.Off, hooks.Bursts: hooks.Off,
		}},
		"no cgroup tracepoints": {"cgroup_mkdir,cgroup_rmdir", nil, ways{hooks.CgroupMkdir: hooks.Inotify, hooks.CgroupRmdir: hooks.Inotify, hooks.Bandwidth: hooks.TestRun}},
		"nor a cgroup file system": {"cgroup_mkdir,test_run", func(t *terms) { t.noFiles = errors.New("none") }, ways{
			hooks.CgroupMkdir: hooks.Off, hooks.CgroupRmdir: hooks.Typed, hooks.Bandwidth: hooks.Off,
		}},
		"watches that failed": {"cgroup_mkdir", func(t *terms) {
			t.failed[hooks.CgroupMkdir] = map[hooks.Way]string{hooks.Inotify: "too many"}
		}, ways{hooks.CgroupMkdir: hooks.Poll, hooks.CgroupRmdir: hooks.Typed}},
	} {
		terms := termsOf(t, test.without)
		if test.change != nil {
			test.change(&terms)
		}
		plan := terms.plan()
		for h, want := range test.want {
			if got := plan.Way(h); got != want {
				t.Errorf("%s: %s by %s, want %s", name, h, got, want)
			}
		}
	}
}

func TestNothingToHearWith(t *testing.T) {
	for flags, want := range map[string]string{
		"--without=bpf --cgroup-root=" + t.TempDir(): "no cgroup hierarchy of the cpu controller",
		"--without=bpf,inotify,poll,files":           "switched off",
	} {
		var o options
		cmd := newCommand(&o)
		if err := cmd.ParseFlags(strings.Fields(flags)); err != nil {
			t.Fatal(err)
		}
		if err := o.check(); err != nil {
			t.Fatal(err)
		}
		_, err := openKernel(&o, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", flags, err)
		}
	}
}

func TestKernelFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "btf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for flags, want := range map[string]string{
		"--without=cgroup_mkdir,tp_btf --without=raw_tp/sys_exit": "",
		"--btf=" + file:         "",
		"--cgroup-root=/":       "",
		"--without=cgroups":     `--without: "cgroups" is no hook`,
		"--btf=/none":           "--btf=/none: is no file",
		"--btf=/":               "--btf=/: is no file",
		"--cgroup-root=/none":   "--cgroup-root=/none: is no folder",
		"--cgroup-root=" + file: "is no folder",
	} {
		var o options
		cmd := newCommand(&o)
		if err := cmd.ParseFlags(strings.Fields(flags)); err != nil {
			t.Fatal(err)
		}
		err := o.check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", flags, err)
		}
	}
}

// Where nobody reads that is said, and not that there is nothing.
func TestUnread(t *testing.T) {
	k := unread{}
	err := k.Walk(func(uint64, uint64, string) { t.Error("told a cgroup") })
	if _, failed := k.ReadGroup(1, 0); !errors.Is(err, event.ErrUnread) || !errors.Is(failed, event.ErrUnread) {
		t.Errorf("%v, %v", err, failed)
	}
}
