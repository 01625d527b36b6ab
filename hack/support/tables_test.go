// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/doctor"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

func report(t *testing.T, release string, layout doctor.Layout, without ...string) *doctor.Report {
	t.Helper()
	w, err := hooks.ParseWithout(without)
	if err != nil {
		t.Fatal(err)
	}
	r := &doctor.Report{Without: without, Hooks: hooks.Choose(hooks.Offer{}, w)}
	r.Kernel, r.BTF.Source = doctor.Kernel{Release: release, Architecture: "amd64"}, doctor.KernelBTF
	r.Cgroup.Layout, r.Cgroup.CPU = layout, doctor.V2
	if layout == doctor.Hybrid {
		r.Cgroup.CPU = doctor.V1
	}
	r.Diagnose()
	return r
}

func TestTables(t *testing.T) {
	got := tables([]*doctor.Report{
		report(t, "6.12.1+deb13-cloud-amd64", doctor.V2), report(t, "6.12.1+deb13-cloud-amd64", doctor.V2, "bpf"),
		report(t, "5.10.0-32-cloud-amd64", doctor.Hybrid), report(t, "6.18.44-somebody", doctor.Hybrid, "ringbuf"), report(t, "6.18.44-somebody", doctor.Hybrid),
	})
	for _, want := range []string{ // in this order
		"| 5.10.0-32-cloud-amd64 | amd64 | v1 beside v2 | kernel | Full | ringbuf | tp_btf | tp_btf | test_run | tp_btf | nothing |\n",
		"| 6.12.1+deb13-cloud-amd64 | amd64 | v2 | kernel | Full |", "| 6.18 | amd64 |",
		"| |6.12.1+deb13-cloud-amd64, v2 |6.18, v1 beside v2 |", "| `--without bpf` |Floor |not run |", "| `--without ringbuf` |not run |Degraded: events, bursts |",
		"- `events` by `off`:", "- `bursts` by `off`:",
	} {
		_, after, ok := strings.Cut(got, want)
		if !ok {
			t.Fatalf("no %q there in:\n%s", want, got)
		}
		got = after
	}
}

func TestOnlyReportsAreRead(t *testing.T) {
	directory := t.TempDir()
	if _, err := read(directory); err == nil {
		t.Error("nothing is taken for something")
	}
	if err := os.WriteFile(filepath.Join(directory, "a.json"), []byte(`{"kind":"Pod"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(directory); err == nil {
		t.Error("a pod is taken for a report")
	}
}
