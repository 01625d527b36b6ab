// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"testing"
)

// A storm of cgroups that come and go leaves a bounded number behind, the latest.
func TestReleasedCgroupsAreBounded(t *testing.T) {
	d := NewDictionary()
	d.Add(1, "/stays", 1)
	const many = 2*releasedMax + 10
	for i := uint64(2); i < many+2; i++ {
		d.Add(i, fmt.Sprintf("/storm-%d", i), i)
		d.Release(i, i)
		d.Release(i, i) // told twice
	}
	if n := d.Len(); n != releasedMax+1 {
		t.Errorf("%d entries", n)
	}
	if _, ok := d.Lookup(many + 1); !ok {
		t.Error("the latest is gone")
	}
	if _, ok := d.Lookup(2); ok {
		t.Error("the first is still there")
	}
	d.Sweep(many)
	if n := d.Len(); n != 3 { // released at many, at many + 1, and the one that lives
		t.Errorf("%d entries after a sweep", n)
	}
}

// A cgroup that was made anew is not dropped with the one before it.
func TestACgroupMadeAnewStays(t *testing.T) {
	d := NewDictionary()
	d.Add(1, "/a", 1)
	d.Release(1, 10)
	d.Add(2, "/a", 2)
	d.Add(1, "/b", 3)
	d.Sweep(100)
	if e, ok := d.Lookup(1); !ok || e.Path != "/b" {
		t.Error("an id that was used again is gone")
	}
	if e, ok := d.Lookup(2); !ok || len(d.Ancestors("/a/x")) != 1 || d.Ancestors("/a/x")[0] != e {
		t.Error("a path that was used again is gone")
	}
}
