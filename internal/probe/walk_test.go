// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"slices"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// memory is the kernel's own lists, by address. The root is at 1.
type memory map[uint64]*observerKgCgroupRecord

func (m memory) add(at, parent uint64, name string) {
	r := &observerKgCgroupRecord{Pointer: at, Id: 100 + at, Parent: parent}
	for i, c := range []byte(name) {
		r.Name[i] = int8(c)
	}
	if p := m[parent]; p != nil {
		r.NextSibling, p.FirstChild = p.FirstChild, at
	}
	m[at] = r
}

func (m memory) read(pointer uint64) (observerKgCgroupRecord, error) {
	if pointer == 0 {
		pointer = 1
	}
	if r := m[pointer]; r != nil {
		return *r, nil
	}
	return observerKgCgroupRecord{Pointer: pointer}, nil
}

func kubepods() memory {
	m := memory{}
	m.add(1, 0, "")
	m.add(2, 1, "kubepods")
	m.add(3, 2, "a")
	m.add(4, 2, "b")
	m.add(5, 1, "system")
	return m
}

func walkAll(read func(uint64) (observerKgCgroupRecord, error)) ([]string, error) {
	var found []string
	w := walker{read: read, visit: func(_, _ uint64, path string) {
		if !slices.Contains(found, path) {
			found = append(found, path)
		}
	}}
	err := w.all()
	slices.Sort(found)
	return found, err
}

func TestWalk(t *testing.T) {
	found, err := walkAll(kubepods().read)
	if want := []string{"/", "/kubepods", "/kubepods/a", "/kubepods/b", "/system"}; err != nil || !slices.Equal(found, want) {
		t.Errorf("%q, %v", found, err)
	}
}

// A list that breaks each time hides what comes after it. The rest is told, and that
// it is not all.
func TestWalkOfAListThatStaysBroken(t *testing.T) {
	m := kubepods()
	m[4].Parent = 77 // the first of the list was freed, and is something else by now
	found, err := walkAll(m.read)
	if want := []string{"/", "/kubepods", "/system"}; !errors.Is(err, event.ErrIncomplete) || !slices.Equal(found, want) {
		t.Errorf("%q, %v", found, err)
	}
}

// A list that breaks once is begun anew.
func TestWalkOfAListThatBreaksOnce(t *testing.T) {
	m := kubepods()
	torn := true
	found, err := walkAll(func(pointer uint64) (observerKgCgroupRecord, error) {
		r, err := m.read(pointer)
		if pointer == 4 && torn {
			torn, r.Parent = false, 77
		}
		return r, err
	})
	if err != nil || len(found) != 5 {
		t.Errorf("%q, %v", found, err)
	}
}

// What is missed below a cgroup that is gone itself is not missed.
func TestWalkWhileACgroupGoes(t *testing.T) {
	m := kubepods()
	m[4].Parent = 77
	tries := 0
	found, err := walkAll(func(pointer uint64) (observerKgCgroupRecord, error) {
		if pointer == 4 {
			if tries++; tries == walkTries {
				m[2].Removed = 1
			}
		}
		return m.read(pointer)
	})
	if err != nil || !slices.Contains(found, "/system") {
		t.Errorf("%q, %v", found, err)
	}
}
