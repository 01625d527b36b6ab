// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"strings"
	"testing"
)

func TestFindHierarchy(t *testing.T) {
	const (
		v1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
		// cpuset begins like cpu and is not it.
		cpuset  = "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
		unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
		v2      = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	for name, tt := range map[string]struct {
		mountinfo, controllers string
		want                   Hierarchy
	}{
		"v1":      {cpuset + v1, "", Hierarchy{Root: "/sys/fs/cgroup/cpu,cpuacct"}},
		"v2":      {v2, "cpuset cpu io memory pids\n", Hierarchy{Root: "/sys/fs/cgroup", V2: true}},
		"hybrid":  {unified + cpuset + v1, "", Hierarchy{Root: "/sys/fs/cgroup/cpu,cpuacct"}},
		"nothing": {unified + cpuset + "garbage\n - \n", "memory", Hierarchy{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FindHierarchy(strings.NewReader(tt.mountinfo), func(string) string { return tt.controllers })
			if got != tt.want || (tt.want.Root == "") != errors.Is(err, ErrNoHierarchy) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
