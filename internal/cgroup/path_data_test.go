// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

// found is a path of testdata/paths.yaml.
type found struct {
	Path      string `json:"path"`
	Pod       string `json:"pod"`
	Container string `json:"container"`
	Below     bool   `json:"below"`
	Node      string `json:"node"`
	Is        struct {
		Runtime, Driver, Cgroup, How string
	} `json:"is"`
	Origin string `json:"origin"`
}

func foundPaths(t testing.TB) []found {
	raw, err := os.ReadFile("testdata/paths.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all []found
	if err := yaml.UnmarshalStrict(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestParsePathsOfRealNodes(t *testing.T) {
	for _, f := range foundPaths(t) {
		t.Run(f.Node+", "+f.Is.Runtime+", "+f.Is.Driver, func(t *testing.T) {
			want := Place{PodUID: f.Pod, ContainerID: f.Container, Below: f.Below}
			if got := ParsePath(f.Path); got != want {
				t.Errorf("ParsePath(%q) = %+v, want %+v (%s, from %s)", f.Path, got, want, f.Is.How, f.Origin)
			}
		})
	}
}

// A row without these says nothing about what was covered.
func TestPathsOfRealNodesTellTheirOrigin(t *testing.T) {
	for _, f := range foundPaths(t) {
		if f.Origin == "" || f.Node == "" || f.Is.Runtime == "" ||
			!slices.Contains([]string{"systemd", "cgroupfs", "mixed"}, f.Is.Driver) ||
			!slices.Contains([]string{"v1", "v2", "unknown"}, f.Is.Cgroup) ||
			!slices.Contains([]string{"captured", "fixture", "derived"}, f.Is.How) {
			t.Errorf("%s: %+v", f.Path, f)
		}
	}
}

// Whatever the dialect, a node has the containers that its cgroups are for: each
// once, and not again for what lies below it.
func TestDictionaryFindsTheContainersOfEveryDialect(t *testing.T) {
	d := NewDictionary()
	var want []string
	for i, f := range foundPaths(t) {
		d.Add(uint64(i+1), f.Path, 0)
		if f.Container != "" && !f.Below {
			want = append(want, f.Path)
		}
	}
	slices.Sort(want)
	var got []string
	for _, e := range d.Containers() {
		got = append(got, e.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("containers = %q, want %q", got, want)
	}
}
