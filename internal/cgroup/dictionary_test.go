// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"strings"
	"testing"
)

// A storm of cgroups that come and go leaves a bounded number behind, the latest.
// Whoever may make cgroups below its own can call them by another pod's name. It does not
// speak for a pod that has its cgroup elsewhere; a cluster in a pod has none there.
func TestACgroupBelowAContainerDoesNotSpeakForAnotherPod(t *testing.T) {
	const (
		own   = "/kubepods/pod00000000-0000-4000-8000-000000000001"
		other = "pod00000000-0000-4000-8000-000000000002"
	)
	id := func(c string) string { return "/" + strings.Repeat(c, 64) }
	container := own + id("a")
	inside := Place{PodUID: "00000000-0000-4000-8000-000000000001", ContainerID: strings.Repeat("a", 64), Below: true}

	d := NewDictionary()
	d.Add(1, own, 0)
	d.Add(2, container, 0)
	if e := d.Add(3, container+"/kubepods/"+other, 0); !e.Place.IsPod() {
		t.Errorf("a cluster in a pod: %+v", e.Place)
	}
	if e := d.Add(4, container+"/kubepods/"+other+id("b"), 0); !e.Place.IsContainer() || e.Place.Below {
		t.Errorf("a container of a cluster in a pod: %+v", e.Place)
	}
	d.Release(3, 9)
	d.Release(4, 9)
	d.Add(5, "/kubepods/"+other, 0)
	d.Add(6, "/kubepods/"+other+id("b"), 0)
	for n, path := range []string{container + "/" + other, container + "/" + other + id("b"), container + "/x/" + other + id("b") + "/below"} {
		if e := d.Add(uint64(10+n), path, 0); e.Place != inside {
			t.Errorf("%s is %+v", path, e.Place)
		}
	}
	if all := d.Containers(); len(all) != 2 {
		t.Errorf("%d containers", len(all))
	}

	first := NewDictionary() // it comes before the pod
	first.Add(2, container, 0)
	first.Add(4, container+"/"+other, 0)
	lie := first.Add(3, container+"/"+other+id("b"), 0)
	if first.Add(5, "/kubepods/"+other, 0); lie.Place != inside {
		t.Errorf("%+v after the pod has come", lie.Place)
	}
}

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
