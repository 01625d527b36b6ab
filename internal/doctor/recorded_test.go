// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"sigs.k8s.io/yaml"
)

var record = flag.String("record", "", "write what the doctor reads of this machine to this file")

// recording is what the doctor reads of a machine; its names begin at the root.
type recording struct {
	Files map[string]string `json:"files"`
	// Present are files that are only looked for.
	Present []string `json:"present"`
	Cgroups []string `json:"cgroups,omitempty"` // directories
}

// read are the files of which the doctor reads the text.
var read = []string{
	"/proc/sys/kernel/osrelease", "/proc/sys/kernel/bpf_stats_enabled", "/proc/sys/kernel/unprivileged_bpf_disabled", "/proc/sys/kernel/perf_event_paranoid",
	"/proc/sys/kernel/cap_last_cap", "/proc/self/status", "/proc/self/limits", "/proc/self/cgroup", "/proc/self/mountinfo",
	"/proc/cgroups", "/proc/pressure/cpu", "/sys/kernel/security/lockdown",
}

// told are the lines that are kept of files that tell more.
var told = map[string]*regexp.Regexp{
	"/proc/self/status":    regexp.MustCompile(`^(Uid|CapEff|Seccomp):`),
	"/proc/self/limits":    regexp.MustCompile(`^Max locked memory`),
	"/proc/self/mountinfo": regexp.MustCompile(` - cgroup2? `),
}

// TestRecord records the machine that it runs on: the doctor finds in a recording
// what it finds on the machine. With -record the recording is kept.
func TestRecord(t *testing.T) {
	file := *record
	if file == "" {
		file = filepath.Join(t.TempDir(), "machine.yaml")
	}
	machine := os.DirFS("/")
	r := recording{Files: map[string]string{}}
	for _, name := range read {
		raw, err := fs.ReadFile(machine, inside(name))
		if err != nil {
			continue
		}
		text := string(raw)
		if want := told[name]; want != nil {
			text = kept(text, want)
		}
		r.Files[name] = text
	}
	// A build's own suffix says who runs the machine and nothing of the kernel.
	release := regexp.MustCompile(`-[a-z]+-v[0-9]+$`).ReplaceAllString(strings.TrimSpace(r.Files["/proc/sys/kernel/osrelease"]), "")
	r.Files["/proc/sys/kernel/osrelease"] = release + "\n"
	comms, _ := fs.Glob(machine, "proc/[0-9]*/comm")
	for _, name := range comms {
		if raw, err := fs.ReadFile(machine, name); err == nil && programs[strings.TrimSpace(string(raw))] != "" {
			r.Files["/"+name] = string(raw)
		}
	}
	s := &Source{Machine: machine, Architecture: runtime.GOARCH}
	r.present(s)
	raw, err := yaml.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	want, got := s.Gather(), sourceOf(t, file).Gather()
	want.Kernel.Release, got.Kernel.Architecture = release, want.Kernel.Architecture
	if !reflect.DeepEqual(got, want) {
		t.Errorf("of the recording %+v, of the machine %+v", got, want)
	}
}

func kept(text string, want *regexp.Regexp) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if want.MatchString(line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

func (r *recording) present(s *Source) {
	f := s.Gather()
	all := []string{KernelBTFFile, "/sys/kernel/tracing/events/sched", "/sys/kernel/debug/tracing/events/sched"}
	for _, mount := range s.mounts(f.Cgroup.CPU) {
		for _, name := range []string{"release_agent", "cgroup.procs", "cgroup.type"} {
			all = append(all, path.Join(mount, name))
		}
	}
	for _, name := range all {
		if s.exists(name) {
			r.Present = append(r.Present, name)
		}
	}
	_ = filepath.WalkDir(f.Cgroup.Mount, func(at string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(at, "pod") {
			r.Cgroups = append(r.Cgroups, at)
		}
		return nil
	})
}

// machineOf is a recorded machine.
func machineOf(t *testing.T, name string) *Source {
	t.Helper()
	return sourceOf(t, filepath.Join("testdata", name+".yaml"))
}

func sourceOf(t *testing.T, file string) *Source {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := yaml.UnmarshalStrict(raw, &r); err != nil {
		t.Fatal(err)
	}
	machine := fstest.MapFS{}
	for name, text := range r.Files {
		machine[inside(name)] = &fstest.MapFile{Data: []byte(text)}
	}
	for _, name := range r.Present {
		machine[inside(name)] = &fstest.MapFile{}
	}
	for _, name := range r.Cgroups {
		machine[inside(name)] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	}
	return &Source{Machine: machine, Architecture: "amd64"}
}

// machines are the recorded ones.
func machines(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for i := range files {
		files[i] = strings.TrimSuffix(filepath.Base(files[i]), ".yaml")
	}
	slices.Sort(files)
	return files
}
