// SPDX-License-Identifier: Apache-2.0

package cgroupfs

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// unpack lays a recording of real files out below a folder of the test's own:
// "@dir" and "@file" begin a folder and a file.
func unpack(t *testing.T, recording string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", recording))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var dir, file string
	for line := range strings.Lines(string(raw)) {
		name, is := strings.CutPrefix(line, "@dir ")
		if is {
			dir, file = filepath.Join(root, strings.TrimSpace(name)), ""
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if name, is = strings.CutPrefix(line, "@file "); is {
			file, line = filepath.Join(dir, strings.TrimSpace(name)), ""
		}
		if file == "" {
			continue // what the recording is of
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(line); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(root, "sys/fs/cgroup")
}

// openRecording walks it and returns the ids by path.
func openRecording(t *testing.T, recording string) (*Tree, map[string]uint64) {
	t.Helper()
	h, err := Find(unpack(t, recording))
	if err != nil {
		t.Fatal(err)
	}
	if h.V2 != strings.HasPrefix(recording, "v2") {
		t.Errorf("%+v", h)
	}
	tree, err := Open(h, Options{Way: hooks.Off, Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tree.Close() })
	ids := map[string]uint64{}
	if err := tree.Walk(func(id, _ uint64, path string) { ids[path] = id }); err != nil {
		t.Fatal(err)
	}
	return tree, ids
}

func TestReadGroup(t *testing.T) {
	for recording, want := range map[string]event.Group{
		"v2-6.12.txt": {Quota: 20e6, Period: 100e6, Periods: 43, Throttled: 41, ThrottledTime: 7236980000, Usage: 845460000, Burst: 10e6, Shares: 102, Pressure: 3634314000},
		"v2-5.10.txt": {Quota: 20e6, Period: 100e6, Periods: 46, Throttled: 42, ThrottledTime: 7169915000, Usage: 849930000, Shares: 102, Pressure: 3655101000},
		"v1-5.10.txt": {Quota: 20e6, Period: 100e6, Periods: 47, Throttled: 44, ThrottledTime: 7488400994, Usage: 895432759, Shares: 256},
		"v1-6.18.txt": {Quota: 5e6, Period: 100e6, Periods: 43, Throttled: 40, ThrottledTime: 1617903550, Usage: 207846718, Burst: 2e6, Shares: 256},
	} {
		t.Run(recording, func(t *testing.T) {
			tree, ids := openRecording(t, recording)
			before := now()
			g, err := tree.ReadGroup(ids["/pod"], 0)
			if err != nil {
				t.Fatal(err)
			}
			if g.Cgroup != ids["/pod"] || g.Time < before || g.Time > now() {
				t.Errorf("cgroup %d at %d", g.Cgroup, g.Time)
			}
			g.Cgroup, g.Time = 0, 0
			if g != want {
				t.Errorf("got  %+v\nwant %+v", g, want)
			}
		})
	}
}

func TestReadGroupWithoutALimit(t *testing.T) {
	tree, ids := openRecording(t, "v1-6.18.txt")
	if g, err := tree.ReadGroup(ids["/"], 0); err != nil || g.Quota != 0 || g.Period != 100e6 || g.Usage == 0 {
		t.Errorf("%+v, %v", g, err)
	}
}

// A cgroup that the cpu controller does not look after has a cpu.stat all the same.
func TestReadGroupWithoutTheController(t *testing.T) {
	tree, ids := openRecording(t, "v2-6.12.txt")
	for _, path := range []string{"/", "/pod/below"} {
		if _, err := tree.ReadGroup(ids[path], 0); !errors.Is(err, ErrGone) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReadGroupThatIsGone(t *testing.T) {
	tree, ids := openRecording(t, "v1-5.10.txt")
	if _, err := tree.ReadGroup(12345, 0); !errors.Is(err, ErrGone) {
		t.Errorf("an id that nobody has: %v", err)
	}
	dir := tree.hierarchy.Root + "/pod"
	if err := os.Rename(dir, dir+"-before"); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.ReadGroup(ids["/pod"], 0); !errors.Is(err, ErrGone) {
		t.Errorf("its folder is gone: %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.ReadGroup(ids["/pod"], 0); !errors.Is(err, ErrGone) {
		t.Errorf("its folder is another: %v", err)
	}
}

func TestFilesOfAnotherForm(t *testing.T) {
	for file, text := range map[string]string{"cpu.stat": "nr_periods many\n", "cpu.cfs_quota_us": "\n", "cpu.shares": "-1\n", "cpuacct.usage": "1 2\n"} {
		tree, ids := openRecording(t, "v1-5.10.txt")
		if err := os.WriteFile(filepath.Join(tree.hierarchy.Root, "pod", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.ReadGroup(ids["/pod"], 0); !errors.Is(err, errForm) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, raw := range []string{"", "100000", "max", "max x", "x 100000"} {
		if err := parseMax([]byte(raw), &event.Group{}); !errors.Is(err, errForm) {
			t.Errorf("cpu.max %q: %v", raw, err)
		}
	}
	for _, raw := range []string{"", "full avg10=0.00 total=1", "some avg10=0.00", "some total=x"} {
		if _, err := parsePressure([]byte(raw)); !errors.Is(err, errForm) {
			t.Errorf("cpu.pressure %q: %v", raw, err)
		}
	}
}

func TestFind(t *testing.T) {
	v1, v2 := unpack(t, "v1-6.18.txt"), unpack(t, "v2-6.12.txt")
	for folder, want := range map[string]Hierarchy{
		v1:          {Root: v1 + "/cpu", Usage: v1 + "/cpuacct"},
		v2:          {Root: v2, Usage: v2, V2: true},
		v2 + "/pod": {Root: v2 + "/pod", Usage: v2 + "/pod", V2: true}, // a node that is itself a container
	} {
		if h, err := Find(folder); err != nil || h != want {
			t.Errorf("%s: %+v, %v", folder, h, err)
		}
	}
	if _, err := Find(v1 + "/cpu"); !errors.Is(err, ErrNotFound) {
		t.Errorf("without cpuacct: %v", err)
	}
	if _, err := Find(t.TempDir()); !errors.Is(err, ErrNotFound) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Find(v1 + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// Files stay open from one reading to the next, and no longer than their cgroup.
func TestFilesThatStayOpen(t *testing.T) {
	tree, ids := openRecording(t, "v1-6.18.txt")
	before := openFilesOf(t)
	for range 3 {
		if _, err := tree.ReadGroup(ids["/pod"], 0); err != nil {
			t.Fatal(err)
		}
		if n := openFilesOf(t) - before; n != filesOfGroup {
			t.Errorf("%d files are open", n)
		}
	}
	stat := filepath.Join(tree.hierarchy.Root, "pod", "cpu.stat")
	if err := os.WriteFile(stat, []byte("nr_periods 7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if g, err := tree.ReadGroup(ids["/pod"], 0); err != nil || g.Periods != 7 {
		t.Errorf("an open file is read anew: %+v, %v", g, err)
	}
	tree.Forget(ids["/pod"])
	if n := openFilesOf(t) - before; n != 0 {
		t.Errorf("%d files are open of a cgroup that is gone", n)
	}
}

// A file that can be opened and not read (cpu.pressure where PSI was switched off at
// the start) does not stay open.
func TestAFileThatCannotBeRead(t *testing.T) {
	tree, ids := openRecording(t, "v2-6.12.txt")
	before := openFilesOf(t)
	n := tree.byID[ids["/pod"]]
	r := groupReader{hierarchy: tree.hierarchy, node: n, dir: noFile}
	for range 2 {
		if err := r.optional("cpu.pressure", func([]byte) error { return unix.EOPNOTSUPP }); err != nil {
			t.Error(err)
		}
	}
	r.closeDir()
	if open := openFilesOf(t) - before; open != 0 {
		t.Errorf("%d files are open", open)
	}
	tree.Forget(n.id)
}

// Where no more files may stay open they are opened each time.
func TestFilesThatMayNotStayOpen(t *testing.T) {
	tree, ids := openRecording(t, "v2-6.12.txt")
	tree.keepsMax = 0
	before := openFilesOf(t)
	for range 3 {
		if g, err := tree.ReadGroup(ids["/pod"], 0); err != nil || g.Periods != 43 {
			t.Errorf("%+v, %v", g, err)
		}
	}
	if n := openFilesOf(t) - before; n != 0 || tree.keeps.Load() != 0 {
		t.Errorf("%d files are open, of %d cgroups", n, tree.keeps.Load())
	}
}

func openFilesOf(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
