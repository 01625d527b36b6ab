// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"fmt"
	"path"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// walkTries is how often a list is begun anew that was not walked to its end.
const walkTries = 5

// walker walks the kernel's own lists of cgroups.
type walker struct {
	// read reads the cgroup at a kernel address; 0 is the root.
	read  func(pointer uint64) (observerKgCgroupRecord, error)
	visit Visit
	// broken are the lists that were not walked to their end.
	broken int
}

func (w *walker) all() error {
	root, err := w.read(0)
	if err != nil {
		return err
	}
	if err := w.walk(&root, "/"); err != nil {
		return err
	}
	if w.broken > 0 {
		return fmt.Errorf("%w: %d lists changed each time that they were read", event.ErrIncomplete, w.broken)
	}
	return nil
}

func (w *walker) walk(r *observerKgCgroupRecord, at string) error {
	if r.Removed != 0 {
		return nil
	}
	w.visit(r.Id, r.Pointer, at)
	before := w.broken
	for range walkTries {
		w.broken = before // what was missed below is looked for again
		if whole, err := w.children(r, at); whole || err != nil {
			return err
		}
		again, err := w.read(r.Pointer)
		if err != nil {
			return err
		}
		if again.Id != r.Id || again.Removed != 0 {
			w.broken = before // with all below it
			return nil
		}
		r = &again
	}
	w.broken++
	return nil
}

// children is false where it has come to an entry that was freed meanwhile.
func (w *walker) children(r *observerKgCgroupRecord, at string) (whole bool, err error) {
	for next := r.FirstChild; next != 0; {
		child, err := w.read(next)
		if err != nil {
			return false, err
		}
		if child.Parent != r.Pointer || child.Hierarchy != r.Hierarchy || child.Id == 0 {
			return false, nil
		}
		if err := w.walk(&child, path.Join(at, text(child.Name[:]))); err != nil {
			return false, err
		}
		next = child.NextSibling
	}
	return true, nil
}
