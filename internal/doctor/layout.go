// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"path"
	"slices"
	"strings"
)

// cgroup tells the layout by the hierarchies that the process is in, which is the
// same within a container, and finds where the cpu controller's is mounted.
func (s *Source) cgroup() Cgroup {
	var v1, v2, cpu1 bool
	for line := range strings.Lines(s.text("/proc/self/cgroup")) {
		fields := strings.SplitN(line, ":", 3)
		switch {
		case len(fields) < 3:
		case fields[0] == "0" && fields[1] == "":
			v2 = true
		default:
			// A named hierarchy (systemd's) has no controllers.
			named := strings.HasPrefix(fields[1], "name=")
			v1 = v1 || !named
			cpu1 = cpu1 || slices.Contains(strings.Split(fields[1], ","), "cpu")
		}
	}
	var c Cgroup
	switch {
	case v1 && v2:
		c.Layout = Hybrid
	case v1:
		c.Layout = V1
	case v2:
		c.Layout = V2
	}
	switch {
	case cpu1:
		c.CPU = V1
	case v2 && s.enabled("cpu"):
		c.CPU = V2
	}
	c.Mount, c.Whole = s.hierarchy(c.CPU)
	return c
}

// enabled is true for a controller that the kernel has; one without a list of
// them is believed to have it.
func (s *Source) enabled(controller string) bool {
	list := s.text("/proc/cgroups")
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == controller {
			return f[3] == "1"
		}
	}
	return list == ""
}

// hierarchy is where the cpu controller's is mounted, and whether from its root.
// A whole one wins over a part, and a place that was named over others.
func (s *Source) hierarchy(version Layout) (mount string, whole bool) {
	for _, at := range s.mounts(version) {
		isWhole := s.isWhole(version, at)
		if mount == "" || isWhole && !whole {
			mount, whole = at, isWhole
		}
	}
	return mount, whole
}

func (s *Source) mounts(version Layout) []string {
	var all []string
	for line := range strings.Lines(s.text("/proc/self/mountinfo")) {
		mount, kind, _ := strings.Cut(line, " - ")
		where, what := strings.Fields(mount), strings.Fields(kind)
		if len(where) < 5 || len(what) < 3 {
			continue
		}
		switch {
		case version == V1 && what[0] == "cgroup" && slices.Contains(strings.Split(what[2], ","), "cpu"),
			version == V2 && what[0] == "cgroup2":
			all = append(all, where[4])
		}
	}
	named := func(at string) bool {
		return s.CgroupRoot != "" && (at == path.Clean(s.CgroupRoot) || strings.HasPrefix(at, path.Clean(s.CgroupRoot)+"/"))
	}
	slices.SortStableFunc(all, func(a, b string) int {
		switch {
		case named(a) == named(b):
			return 0
		case named(a):
			return -1
		}
		return 1
	})
	return all
}

// isWhole asks for files that the root alone has, or alone has not.
func (s *Source) isWhole(version Layout, at string) bool {
	if version == V1 {
		return s.exists(path.Join(at, "release_agent"))
	}
	return s.exists(path.Join(at, "cgroup.procs")) && !s.exists(path.Join(at, "cgroup.type"))
}
