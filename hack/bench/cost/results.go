// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// results are what was measured, by part.
type results map[string]partResult

type partResult struct {
	Started time.Time `json:"started"`
	Took    float64   `json:"tookSeconds"`
	Quick   bool      `json:"quick"`
	Kernel  string    `json:"kernel"`
	CPUs    int       `json:"cpus"`
	// Load is the load average of a minute when the part began: 0 on a machine that
	// did nothing else.
	Load float64 `json:"load"`
	// Others is how many BPF programs of others were loaded then: an observer that
	// runs beside would fall on both sides of every ratio.
	Others int             `json:"others"`
	Result json.RawMessage `json:"result"`
}

// staleAfter is the age at which a run is no longer gone on with.
const staleAfter = 12 * time.Hour

func loadResults(file string) (results, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return results{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	r := results{}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("read results from %s: %w", file, err)
	}
	return r, nil
}

func (r results) add(name string, p partResult, result any) (err error) {
	if p.Result, err = json.Marshal(result); err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	r[name] = p
	return nil
}

func (r results) store(file string) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("keep results: %w", err)
	}
	return os.WriteFile(file, raw, 0o600)
}

// get decodes a part; false if it is not there.
func get[T any](r results, name string) (out T, ok bool) {
	p, ok := r[name]
	return out, ok && json.Unmarshal(p.Result, &out) == nil
}

// choose tells what is to be measured, and which of the results there are kept: of
// a run that was interrupted all that it had, of one that was complete nothing, and
// where parts are named all others.
func choose(o options, r results, now time.Time) ([]part, results) {
	if len(o.parts) > 0 {
		return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return !slices.Contains(o.parts, p.name) }), r
	}
	complete := true
	for _, p := range parts {
		_, ok := r[p.name]
		complete = complete && ok
	}
	kept := results{}
	for name, p := range r {
		if !complete && !o.fresh && p.Quick == o.quick && now.Sub(p.Started) < staleAfter {
			kept[name] = p
		}
	}
	return slices.DeleteFunc(slices.Clone(parts), func(p part) bool { _, ok := kept[p.name]; return ok }), kept
}

// kernel is the running kernel's version, without what its builder added.
func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "Linux"
	}
	return "Linux " + shortVersion(unix.ByteSliceToString(name.Release[:]))
}

func shortVersion(release string) string {
	numbers := strings.SplitN(release, ".", 3)
	return strings.Join(numbers[:min(2, len(numbers))], ".")
}

func loadAverage() (load float64) {
	raw, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(raw), &load)
	}
	return load
}

// tracefs is where perf and bpftrace look for tracepoints.
const tracefs = "/sys/kernel/tracing"

// mountTracefs mounts it if it is not there, and returns what undoes that.
func mountTracefs() (func() error, error) {
	if _, err := os.Stat(filepath.Join(tracefs, "events")); err == nil {
		return func() error { return nil }, nil
	}
	if err := unix.Mount("tracefs", tracefs, "tracefs", 0, ""); err != nil {
		return nil, fmt.Errorf("mount tracefs: %w", err)
	}
	return func() error { return unix.Unmount(tracefs, 0) }, nil
}
