// SPDX-License-Identifier: Apache-2.0

package doctor

import "github.com/kernel-gossip/kernel-gossip/internal/hooks"

// Offer adds to what a kernel offers what its mounts do: the ways by files need
// the cgroup file system from its root.
func (f *Facts) Offer(kernel hooks.Offer) hooks.Offer {
	offer := kernel
	offer.Refuses = func(h hooks.Hook, w hooks.Way) string {
		if w == hooks.Inotify || w == hooks.Poll || w == hooks.Files {
			switch {
			case f.Cgroup.Mount == "":
				return "no cgroup hierarchy of the cpu controller is mounted here"
			case !f.Cgroup.Whole:
				return "the cgroup file system is not mounted here from its root"
			}
		}
		if kernel.Refuses == nil {
			return ""
		}
		return kernel.Refuses(h, w)
	}
	return offer
}
