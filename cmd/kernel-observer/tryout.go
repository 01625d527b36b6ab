// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"

	"github.com/kernel-gossip/kernel-gossip/internal/cgroupfs"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// tryOut begins to listen as an observer does, and ends it at once: what a kernel
// says that it has is less than what holds.
func tryOut(o *options) (hooks.Plan, error) {
	log := slog.New(slog.DiscardHandler) // the report says it all
	k, err := openKernel(o, log)
	if err != nil {
		_, noFiles := cgroupfs.Find(o.cgroupRoot)
		t := terms{without: o.taken, btfFile: o.btf != "", noBPF: err, noFiles: noFiles}
		return t.plan(), nil
	}
	if ears := newEars(o, k, log); ears != nil {
		ears.close()
	}
	return k.Plan(), k.close()
}
