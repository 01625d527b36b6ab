// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"testing"
	"testing/fstest"
)

// TestRecordedMachines holds what is said of machines against what they were.
func TestRecordedMachines(t *testing.T) {
	type want struct {
		release      string
		layout, cpu  Layout
		mount        string
		lockdown     string
		memory       string
		pods, inside int
		driver       string
		runtime      string
		resource     bool // CAP_SYS_RESOURCE
		pressure     bool
	}
	wants := map[string]want{
		"linux-6.18-v1": {
			release: "6.18.44", layout: Hybrid, cpu: V1, mount: "/sys/fs/cgroup/cpu", memory: "8388608",
			pods: 2, inside: 4, driver: "cgroupfs", runtime: "containerd", pressure: true,
		},
		"linux-6.12-v2": {
			release: "6.12.117+deb13-cloud-amd64", layout: V2, cpu: V2, mount: "/sys/fs/cgroup", lockdown: "none",
			memory: "unlimited", resource: true, pressure: true,
		},
		"linux-6.1-v2": {
			release: "6.1.0-50-cloud-amd64", layout: V2, cpu: V2, mount: "/sys/fs/cgroup", lockdown: "none",
			memory: "unlimited", resource: true, pressure: true,
		},
		"linux-5.10-v1": {
			release: "5.10.0-32-cloud-amd64", layout: Hybrid, cpu: V1, mount: "/sys/fs/cgroup/cpu,cpuacct", lockdown: "none",
			memory: "unlimited", resource: true, pressure: true,
		},
		"linux-7.2-v2": {
			release: "7.2.13+deb14-cloud-amd64", layout: V2, cpu: V2, mount: "/sys/fs/cgroup", lockdown: "none",
			memory: "unlimited", resource: true, pressure: true,
		},
	}
	for _, name := range machines(t) {
		w, ok := wants[name]
		if !ok {
			t.Errorf("nothing is expected of %s", name)
			continue
		}
		s := machineOf(t, name)
		f := s.Gather()
		s.Inhabitants(f.Cgroup).Tell(&f)
		got := want{
			release: f.Kernel.Release, layout: f.Cgroup.Layout, cpu: f.Cgroup.CPU, mount: f.Cgroup.Mount, lockdown: f.Permissions.Lockdown,
			memory: f.Permissions.LockedMemory, pods: f.Cgroup.Pods, inside: f.Cgroup.Containers,
			driver: Names(f.Cgroup.Drivers), runtime: Names(f.Runtimes), resource: f.Permissions.Has("CAP_SYS_RESOURCE"), pressure: f.PSI,
		}
		if got != w {
			t.Errorf("%s: %+v, want %+v", name, got, w)
		}
		if !f.Cgroup.Whole || f.BTF != (BTF{KernelBTF, KernelBTFFile}) || !f.Permissions.MayBPF() || f.Statistics != StatisticsOnDemand {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// file of a machine made up for a test.
func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestCapabilities(t *testing.T) {
	for name, tt := range map[string]struct {
		effective, last string
		has             string // a letter for each of BPF, PERFMON, RESOURCE, ADMIN
		may             bool
	}{
		"the observer's two":     {"000000c000000000", "40", "yynn", true},
		"BPF alone":              {"0000008000000000", "40", "ynnn", false},
		"none":                   {"0000000000000000", "40", "nnnn", false},
		"root of a container":    {"00000000a80425fb", "40", "nnnn", false},
		"root before Linux 5.8":  {"0000003fffffffff", "37", "yy", true},
		"admin before Linux 5.8": {"0000000000200000", "37", "ny", true},
	} {
		s := &Source{Machine: fstest.MapFS{
			"proc/self/status":             file("Name:\tx\nUid:\t1\t1000\t1\t1\nCapEff:\t" + tt.effective + "\nSeccomp:\t2\n"),
			"proc/sys/kernel/cap_last_cap": file(tt.last + "\n"),
		}}
		p := s.permissions()
		got := ""
		for _, c := range p.Capabilities {
			if c.Effective {
				got += "y"
				continue
			}
			got += "n"
		}
		if got != tt.has || p.MayBPF() != tt.may || *p.User != 1000 || p.Seccomp != "Filter" {
			t.Errorf("%s: %s, may %v, %+v", name, got, p.MayBPF(), p)
		}
	}
}

// TestPartOfTheCgroups has what a pod sees: its own part of the hierarchies, and the
// node's where somebody mounted it.
func TestPartOfTheCgroups(t *testing.T) {
	const (
		own  = "500 400 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
		host = "501 400 0:26 / /host/sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"
		v1   = "502 400 0:30 /kubepods/pod1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
		bare = "503 400 0:31 / /sys/fs/cgroup/systemd ro - cgroup systemd rw,xattr,name=systemd\n"
	)
	for name, tt := range map[string]struct {
		mounts, self, root string
		cpu, layout        Layout
		mount              string
		whole              bool
	}{
		"a pod on v2":           {own, "0::/\n", "", V2, V2, "/sys/fs/cgroup", false},
		"with the node's":       {own + host, "0::/\n", "", V2, V2, "/host/sys/fs/cgroup", true},
		"named":                 {own + host, "0::/\n", "/host/sys/fs/cgroup", V2, V2, "/host/sys/fs/cgroup", true},
		"a pod on v1":           {v1 + bare, "5:cpu,cpuacct:/a\n1:name=systemd:/\n", "", V1, V1, "/sys/fs/cgroup/cpu,cpuacct", false},
		"v2 beside systemd's":   {own + bare, "1:name=systemd:/\n0::/\n", "", V2, V2, "/sys/fs/cgroup", false},
		"nothing is mounted":    {"", "0::/\n", "", V2, V2, "", false},
		"no cgroups whatsoever": {"", "", "", "", "", "", false},
	} {
		s := &Source{CgroupRoot: tt.root, Machine: fstest.MapFS{
			"proc/self/mountinfo": file(tt.mounts), "proc/self/cgroup": file(tt.self),
			"sys/fs/cgroup/cgroup.procs": file(""), "sys/fs/cgroup/cgroup.type": file("domain\n"),
			"host/sys/fs/cgroup/cgroup.procs": file(""),
		}}
		c := s.cgroup()
		if c.CPU != tt.cpu || c.Layout != tt.layout || c.Mount != tt.mount || c.Whole != tt.whole {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestInhabitants(t *testing.T) {
	const (
		uid = "7f9f1f12-8b4b-4f3b-a6ec-a4906d7e05f2"
		low = "7f9f1f12_8b4b_4f3b_a6ec_a4906d7e05f2"
		id  = "fd1454e6e6c04d7871c64b72ceabe7fc1d3abafa1a87db333a7d2ebd87ad50ce"
	)
	systemd := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + low + ".slice"
	for name, tt := range map[string]struct {
		paths            []string
		process          string
		driver, runtime  string
		pods, containers int
	}{
		"containerd, cgroupfs":     {[]string{"/kubepods/pod" + uid, "/kubepods/pod" + uid + "/" + id}, "", "cgroupfs", "", 1, 1},
		"named by its process":     {[]string{"/kubepods/pod" + uid, "/kubepods/pod" + uid + "/" + id}, "containerd", "cgroupfs", "containerd", 1, 1},
		"containerd, systemd":      {[]string{systemd, systemd + "/cri-containerd-" + id + ".scope"}, "", "systemd", "containerd", 1, 1},
		"CRI-O, systemd":           {[]string{systemd, systemd + "/crio-" + id + ".scope", systemd + "/crio-conmon-" + id + ".scope"}, "", "systemd", "cri-o", 1, 1},
		"below the container's":    {[]string{systemd, systemd + "/crio-" + id + ".scope", systemd + "/crio-" + id + ".scope/container"}, "", "systemd", "cri-o", 1, 1},
		"docker, systemd":          {[]string{systemd, systemd + "/docker-" + id + ".scope"}, "", "systemd", "docker", 1, 1},
		"a name and no systemd":    {[]string{"/" + "kubepods-pod" + low + ".slice:cri-containerd:" + id}, "", "", "containerd", 0, 1},
		"nobody":                   {[]string{"/", "/system.slice/ssh.service"}, "sshd", "", "", 0, 0},
		"both, while they migrate": {[]string{systemd, "/kubepods/pod" + uid}, "", "cgroupfs, systemd", "", 2, 0},
	} {
		var n Inhabitants
		for _, p := range tt.paths {
			n.Add(p)
		}
		n.Process(tt.process)
		var f Facts
		n.Tell(&f)
		if Names(f.Cgroup.Drivers) != tt.driver || Names(f.Runtimes) != tt.runtime || f.Cgroup.Pods != tt.pods || f.Cgroup.Containers != tt.containers {
			t.Errorf("%s: %+v %+v", name, f.Cgroup, f.Runtimes)
		}
	}
}

func TestReleases(t *testing.T) {
	for release, before := range map[string]bool{
		"5.4.0-1050-gke": true, "5.7.19": true, "4.19.0-27-amd64": true, "5.8.0": false, "6.1": false, "": false, "weird": false,
	} {
		if got := (Kernel{Release: release}).before5(8); got != before {
			t.Errorf("%q is before 5.8: %v", release, got)
		}
	}
}

// BPF_ENABLE_STATS came with Linux 5.8: before it, nobody but the sysctl turns them on.
func TestStatistics(t *testing.T) {
	const everything, admin = "000001ffffffffff", "0000000000200000"
	for name, tt := range map[string]struct {
		enabled, effective, last string
		want                     Statistics
	}{
		"on":                        {"1", "0", "40", StatisticsOn},
		"off":                       {"0", "0000008000000000", "40", StatisticsOff},
		"may turn them on":          {"0", everything, "40", StatisticsOnDemand},
		"Linux 5.4":                 {"0", admin, "37", StatisticsOff},
		"Linux 5.4, turned on":      {"1", admin, "37", StatisticsOn},
		"before there were any":     {"", admin, "37", NoStatistics},
		"a last one that is hidden": {"0", admin, "", StatisticsOnDemand},
	} {
		machine := fstest.MapFS{
			"proc/self/status":             file("CapEff:\t" + tt.effective + "\n"),
			"proc/sys/kernel/cap_last_cap": file(tt.last),
		}
		if tt.enabled != "" {
			machine["proc/sys/kernel/bpf_stats_enabled"] = file(tt.enabled + "\n")
		}
		s := &Source{Machine: machine}
		if f := s.Gather(); f.Statistics != tt.want {
			t.Errorf("%s: %s, want %s", name, f.Statistics, tt.want)
		}
	}
}
