// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"slices"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// ofPods are the hooks that tell of a pod, ofProcesses those that tell what the
// processes of its birth do: they say nothing where no process is known to begin.
var (
	ofPods      = []hooks.Hook{hooks.CgroupMkdir, hooks.CgroupRmdir, hooks.Exec}
	ofProcesses = []hooks.Hook{
		hooks.Events, hooks.CgroupAttach, hooks.Fork, hooks.Exit, hooks.MarkVictim, hooks.SysExit,
		hooks.SocketState, hooks.Switch, hooks.Wakeup,
	}
)

// unheard is true for a hook of which nothing is heard.
func (c *Config) unheard(h hooks.Hook) bool {
	return c.Plan != nil && c.Plan().Way(h) == hooks.Off
}

// missHooks says what this kernel does not let be heard.
func (w *writer) missHooks() {
	if w.config.Plan == nil {
		return
	}
	of := ofPods
	if !w.config.unheard(hooks.Exec) {
		of = append(slices.Clone(of), ofProcesses...)
	}
	plan := w.config.Plan()
	// What a watch on the cgroup file system loses is cgroups that nobody had the
	// time to look at: of a pod that has a certificate it was all heard.
	if plan.Way(hooks.CgroupMkdir) == hooks.Inotify {
		of = slices.DeleteFunc(slices.Clone(of), func(h hooks.Hook) bool { return h == hooks.CgroupMkdir })
	}
	for _, sentence := range plan.Loses(of...) {
		w.miss("%s", sentence)
	}
}

// deedsHeard is true if it was heard what system calls did.
func (w *writer) deedsHeard() bool {
	return !slices.ContainsFunc([]hooks.Hook{hooks.Exec, hooks.SysExit}, w.config.unheard) && w.heardAtAll()
}
