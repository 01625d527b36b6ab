// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
)

// healthy are the facts of a node on which everything holds.
func healthy() Facts {
	return Facts{
		Kernel: Kernel{"6.12.1", "amd64"}, BTF: BTF{KernelBTF, KernelBTFFile},
		Permissions: Permissions{Capabilities: []Capability{{"CAP_BPF", true}, {"CAP_PERFMON", true}}, LockedMemory: "8388608"},
		Cgroup:      Cgroup{Layout: V2, CPU: V2, Mount: "/host/sys/fs/cgroup", Whole: true}, Tracefs: true,
	}
}

// refuses is a kernel that refuses some ways.
func refuses(whys map[hooks.Way]string) hooks.Offer {
	return hooks.Offer{Refuses: func(_ hooks.Hook, w hooks.Way) string { return whys[w] }}
}

// allBPF refuses every way of BPF for one reason.
func allBPF(why string) hooks.Offer {
	return hooks.Offer{Refuses: func(_ hooks.Hook, w hooks.Way) string {
		if w.BPF() {
			return why
		}
		return ""
	}}
}

// mounted is an offer of a machine that refuses the ways by files unless it shows all
// of its cgroups.
func mounted(f *Facts, kernel hooks.Offer) hooks.Offer {
	return hooks.Offer{Preempts: kernel.Preempts, Refuses: func(h hooks.Hook, w hooks.Way) string {
		switch {
		case onFiles(w) && !f.Cgroup.Whole:
			return "no cgroup hierarchy of the cpu controller"
		case kernel.Refuses == nil:
			return ""
		}
		return kernel.Refuses(h, w)
	}}
}

func TestWhatWouldMendIt(t *testing.T) {
	const notPermitted = "not permitted: needs root, or CAP_BPF and CAP_PERFMON"
	for name, tt := range map[string]struct {
		change  func(*Facts)
		offer   hooks.Offer
		without string
		verdict Verdict
		mends   []string // how each begins, in their order
	}{
		"nothing to mend": {verdict: Full},
		"typed alone is missing": {
			offer: refuses(map[hooks.Way]string{hooks.Typed: "this kernel has no typed tracepoints (Linux 5.5)"}), verdict: Degraded,
			mends: []string{"nothing on this kernel: this kernel has no typed tracepoints"},
		},
		"no rights": {
			change: func(f *Facts) { f.Permissions.Capabilities = []Capability{{"CAP_BPF", false}, {"CAP_PERFMON", false}} },
			offer:  allBPF(notPermitted), verdict: Floor, mends: []string{"run it as root, or add the capabilities BPF and PERFMON"},
		},
		"no rights, before 5.8": {
			change: func(f *Facts) {
				f.Kernel.Release, f.Permissions.Capabilities = "5.4.0", []Capability{{"CAP_SYS_ADMIN", false}}
			},
			offer: allBPF(notPermitted), verdict: Floor, mends: []string{"run it as root or add the capability SYS_ADMIN"},
		},
		"lockdown": {
			change: func(f *Facts) { f.Permissions.Lockdown = "confidentiality" },
			offer:  allBPF(notPermitted), verdict: Floor, mends: []string{"start the kernel without lockdown=confidentiality"},
		},
		"seccomp": {
			change: func(f *Facts) { f.Permissions.Seccomp = "Filter" },
			offer:  allBPF(notPermitted), verdict: Floor, mends: []string{"let the seccomp profile allow bpf"},
		},
		"locked memory": {
			change: func(f *Facts) { f.Kernel.Release = "5.10.0" },
			offer:  allBPF("load the BPF programs: not permitted, and without a limit of locked memory"), verdict: Floor,
			mends: []string{"lift the limit of locked memory"},
		},
		"no BTF": {
			change: func(f *Facts) { f.BTF = BTF{Source: NoBTF} },
			offer:  allBPF("this kernel has no BTF"), verdict: Floor, mends: []string{"give it the types of this kernel with --btf FILE"},
		},
		"BTF of a file": {
			change:  func(f *Facts) { f.BTF = BTF{FileBTF, "/types"} },
			offer:   refuses(map[hooks.Way]string{hooks.Typed: "the types are those of a file"}),
			verdict: Degraded, mends: []string{"run a kernel with BTF of its own"},
		},
		"newer than all that it lacks": {
			change: func(f *Facts) { f.Kernel.Release = "5.9.1" },
			offer: refuses(map[hooks.Way]string{
				hooks.TestRun: "this kernel does not run raw tracepoints for user space (Linux 5.10)",
				hooks.Filter:  "this kernel does not run programs for user space (Linux 5.8)",
			}),
			verdict: Degraded, mends: []string{"nothing on this kernel"},
		},
		"before 5.10": {
			change:  func(f *Facts) { f.Kernel.Release = "5.8.18" },
			offer:   refuses(map[hooks.Way]string{hooks.TestRun: "this kernel does not run raw tracepoints for user space (Linux 5.10)"}),
			verdict: Full,
		},
		"before 5.8": {
			change: func(f *Facts) { f.Kernel.Release = "5.4.0" },
			offer: refuses(map[hooks.Way]string{
				hooks.TestRun: "this kernel does not run raw tracepoints for user space (Linux 5.10)",
				hooks.Filter:  "this kernel does not run programs for user space (Linux 5.8)", hooks.RingBuffer: "this kernel has no ring buffer (Linux 5.8)",
			}),
			verdict: Degraded, mends: []string{"run Linux 5.8 or newer"},
		},
		"only a part of the cgroups": {
			change:  func(f *Facts) { f.Cgroup.Mount, f.Cgroup.Whole = "/sys/fs/cgroup", false },
			without: "cgroup_mkdir", verdict: Degraded,
			mends: []string{"leave --without cgroup_mkdir out", "mount the node's own /sys/fs/cgroup"},
		},
		"no cgroups, no BPF": {
			change:  func(f *Facts) { f.Cgroup.Mount, f.Cgroup.Whole = "", false },
			without: "bpf", verdict: Deaf,
			mends: []string{"leave --without bpf out", "mount the cgroup file system on /sys/fs/cgroup"},
		},
		"switched off": {without: "bursts", verdict: Degraded, mends: []string{"leave --without bursts out"}},
		"what stands on it": {
			without: "ringbuf", verdict: Degraded, mends: []string{"leave --without ringbuf out"},
		},
		"what stands on a test run": {
			without: "test_run", verdict: Degraded, mends: []string{"leave --without test_run out"},
		},
		"no tracefs": {
			change:  func(f *Facts) { f.Tracefs = false },
			offer:   refuses(map[hooks.Way]string{hooks.Tracepoint: "tracefs is not mounted here"}),
			without: "tp_btf/sched_switch,raw_tp/sched_switch", verdict: Degraded,
			mends: []string{"leave --without tp_btf/sched_switch out", "leave --without raw_tp/sched_switch out", "mount tracefs"},
		},
		"a kernel that preempts programs": {offer: hooks.Offer{Preempts: true}, verdict: Full},
		"a kernel that preempts programs and is more paranoid than Linux": {
			change: func(f *Facts) { three := 3; f.Permissions.PerfEventParanoid = &three },
			offer: hooks.Offer{Preempts: true, Refuses: refuses(map[hooks.Way]string{
				hooks.Tracepoint: "attach tracepoint/sys_exit: not permitted: run as root or with CAP_BPF and CAP_PERFMON",
			}).Refuses},
			verdict: Degraded, mends: []string{"set the sysctl kernel.perf_event_paranoid to 2"},
		},
		"a kernel that preempts programs, without tracefs": {
			change:  func(f *Facts) { f.Tracefs = false },
			offer:   hooks.Offer{Preempts: true, Refuses: refuses(map[hooks.Way]string{hooks.Tracepoint: "tracefs is not mounted here"}).Refuses},
			verdict: Degraded, mends: []string{"mount tracefs on the node's /sys/kernel/tracing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := healthy()
			if tt.change != nil {
				tt.change(&f)
			}
			var names []string
			if tt.without != "" {
				names = strings.Split(tt.without, ",")
			}
			without, err := hooks.ParseWithout(names)
			if err != nil {
				t.Fatal(err)
			}
			r := &Report{Facts: f, Hooks: hooks.Choose(mounted(&f, tt.offer), without)}
			r.Diagnose()
			if r.Verdict != tt.verdict {
				t.Errorf("verdict %s, want %s", r.Verdict, tt.verdict)
			}
			if len(r.Mends) != len(tt.mends) {
				t.Fatalf("mends %+v, want %q", r.Mends, tt.mends)
			}
			for i, m := range r.Mends {
				if !strings.HasPrefix(m.Do, tt.mends[i]) || len(m.Hooks) == 0 {
					t.Errorf("mend %+v, want %q", m, tt.mends[i])
				}
			}
		})
	}
}

// TestEveryLossHasAMend takes away one thing after the other.
func TestEveryLossHasAMend(t *testing.T) {
	f := healthy()
	for _, l := range hooks.Ladders() {
		without, err := hooks.ParseWithout([]string{string(l.Hook)})
		if err != nil {
			t.Fatal(err)
		}
		r := &Report{Facts: f, Hooks: hooks.Choose(hooks.Offer{}, without)}
		r.Diagnose()
		want := "leave --without " + string(l.Hook) + " out"
		for _, m := range r.Mends {
			if m.Do != want {
				t.Errorf("without %s: %+v", l.Hook, m)
			}
		}
		if len(Losses(r.Hooks)) > 0 && len(r.Mends) == 0 {
			t.Errorf("without %s something is lost and nothing mends it", l.Hook)
		}
	}
}

func TestWorst(t *testing.T) {
	if Worst() != "" || Worst(Full, Floor, Degraded) != Floor || Worst(Full) != Full || Worst(Deaf, Full) != Deaf {
		t.Error("the worst is another")
	}
	for i, v := range Verdicts() {
		if code := v.ExitCode(); code != []int{0, 3, 4, 5}[i] {
			t.Errorf("%s ends with %d", v, code)
		}
	}
}

func TestReportsAreCopied(t *testing.T) {
	f := healthy()
	r := &Report{Node: "a", Facts: f, Hooks: hooks.Choose(hooks.Offer{}, hooks.Without{}), Observer: &Observer{Lost: map[string]uint64{"events": 1}}}
	r.Diagnose()
	c := r.DeepCopy()
	c.Observer.Lost["events"], c.Hooks[0].Way = 2, hooks.Off
	if r.Observer.Lost["events"] != 1 || r.Hooks[0].Way == hooks.Off {
		t.Error("a copy shares")
	}
	before, _ := json.Marshal(r)
	after, _ := json.Marshal(r.DeepCopy())
	if string(before) != string(after) {
		t.Errorf("%s\nbecame\n%s", before, after)
	}
}
