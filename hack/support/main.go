// SPDX-License-Identifier: Apache-2.0

// support writes the table of what kernels let the observer hear, from reports of
// kernel-observer doctor:
//
//	go run ./hack/support build/doctor docs/reference/support.md
//
// What stands in the file between the two marks is replaced.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
)

const (
	begin = "<!-- begin: go run ./hack/support -->\n"
	end   = "<!-- end -->\n"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: support DIRECTORY-OF-REPORTS FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "support: %v\n", err)
		os.Exit(1)
	}
}

func run(directory, file string) error {
	reports, err := read(directory)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q", file, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(file, []byte(before+begin+"\n"+tables(reports)+"\n"+end+after), 0o644) //nolint:gosec // documentation is for everybody
}

// read takes all reports of a directory.
func read(directory string) ([]*doctor.Report, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("no reports in " + directory)
	}
	var out []*doctor.Report
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		r := &doctor.Report{}
		if err := json.Unmarshal(raw, r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if r.Kind != doctor.NodeKind || r.APIVersion != doctor.APIVersion {
			return nil, fmt.Errorf("%s is no %s of %s", file, doctor.NodeKind, doctor.APIVersion)
		}
		out = append(out, r)
	}
	return out, nil
}
