// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/kernel-gossip/kernel-gossip/api/v1alpha1"

const sandbox = v1alpha1.SandboxContainer

// phases in their usual order, with the name that a reader knows them by.
var phases = []struct{ name, phase, container string }{
	{"kubelet hears of the pod, makes its cgroup", "KubeletSync", ""},
	{"kubelet prepares (volumes, call of the runtime)", "KubeletPrepare", ""},
	{"network, all plugins", "Network", ""},
	{"shim", "ShimStart", ""},
	{"sandbox: create", "ContainerCreate", sandbox},
	{"sandbox: start", "ContainerStart", sandbox},
	{"kubelet and runtime prepare the container", "KubeletContainer", "app"},
	{"container: create", "ContainerCreate", "app"},
	{"container: start", "ContainerStart", "app"},
	{"dynamic linking", "Linking", "app"},
	{"entrypoint to listening (linking is in it)", "Startup", "app"},
	{"last sign of the container to Ready seen", "Readiness", ""},
}

func find(c *v1alpha1.PodBirthCertificate, phase, container string) *v1alpha1.Phase {
	for i := range c.Spec.Phases {
		if p := &c.Spec.Phases[i]; p.Name == phase && p.Container == container {
			return p
		}
	}
	return nil
}

func phaseRows() []row {
	rows := []row{{"**birth, first sign to Ready**", func(c *v1alpha1.PodBirthCertificate) (int64, bool) {
		return c.Spec.KernelStats.DurationMicroseconds, true
	}}}
	for _, x := range phases {
		rows = append(rows, row{x.name, func(c *v1alpha1.PodBirthCertificate) (int64, bool) {
			p := find(c, x.phase, x.container)
			if p == nil {
				return 0, false
			}
			return p.DurationMicroseconds, true
		}})
	}
	return rows
}

// waitRows are those phases of which the waiting is known: not the daemons'.
func waitRows() []row {
	var rows []row
	for _, x := range phases {
		rows = append(rows, row{x.name, func(c *v1alpha1.PodBirthCertificate) (int64, bool) {
			p := find(c, x.phase, x.container)
			if p == nil || p.WaitMicroseconds == nil {
				return 0, false
			}
			return *p.WaitMicroseconds, true
		}})
	}
	return rows
}

func countRows() []row {
	syscalls := func(a *v1alpha1.ActorStats) int64 { return a.Syscalls }
	return []row{
		{"**system calls, all**", func(c *v1alpha1.PodBirthCertificate) (int64, bool) { return c.Spec.KernelStats.TotalSyscalls, true }},
		{"of CNI plugins", actor(v1alpha1.ActorCNI, "", syscalls)},
		{"of the shim", actor(v1alpha1.ActorRuntime, "", syscalls)},
		{"of the runtime, for the sandbox", actor(v1alpha1.ActorRuntime, sandbox, syscalls)},
		{"of the sandbox's own program", actor(v1alpha1.ActorWorkload, sandbox, syscalls)},
		{"of the runtime, for the container", actor(v1alpha1.ActorRuntime, "app", syscalls)},
		{"**of the workload**", actor(v1alpha1.ActorWorkload, "app", syscalls)},
		{"processes of the workload", actor(v1alpha1.ActorWorkload, "app", func(a *v1alpha1.ActorStats) int64 { return a.Processes })},
		{"files opened before main", func(c *v1alpha1.PodBirthCertificate) (int64, bool) {
			for _, m := range c.Spec.Milestones.Containers {
				if m.FilesOpenedBeforeMain != nil {
					return *m.FilesOpenedBeforeMain, true
				}
			}
			return 0, false
		}},
		{"mounts", func(c *v1alpha1.PodBirthCertificate) (int64, bool) { return value(c.Spec.KernelStats.Mounts) }},
		{"writes to cgroup files", func(c *v1alpha1.PodBirthCertificate) (int64, bool) { return value(c.Spec.KernelStats.CgroupWrites) }},
	}
}

func value(v *int64) (int64, bool) {
	if v == nil {
		return 0, false
	}
	return *v, true
}

func actor(actor v1alpha1.Actor, container string, of func(*v1alpha1.ActorStats) int64) func(*v1alpha1.PodBirthCertificate) (int64, bool) {
	return func(c *v1alpha1.PodBirthCertificate) (int64, bool) {
		for i := range c.Spec.KernelStats.Actors {
			if a := &c.Spec.KernelStats.Actors[i]; a.Actor == actor && a.Container == container {
				return of(a), true
			}
		}
		return 0, false
	}
}
