// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is CPU time by component.
type usage map[string]time.Duration

// since is what was used since an earlier reading. A component that was not there then
// is left out.
func (u usage) since(before usage) usage {
	out := usage{}
	for name, v := range u {
		if was, ok := before[name]; ok {
			out[name] = v - was
		}
	}
	return out
}

// machine is the name of everything on this machine together.
const machine = "the whole machine"

// clocks are files with the CPU time of cgroups of this machine, by component; of the
// one-node cluster these are its daemons and our own pods, elsewhere there are none.
type clocks struct {
	system map[string]string
	pods   map[string]string
}

// newClocks finds the children of a cgroup.
func newClocks(system string) *clocks {
	c := &clocks{system: map[string]string{}}
	for _, file := range clockFiles(system + "/*") {
		c.system[filepath.Base(filepath.Dir(file))] = file
	}
	if root := clockFiles(""); len(c.system) > 0 && len(root) > 0 {
		c.system[machine] = root[0]
	}
	return c
}

// watch takes these pods' cgroups in, and no others': patterns by component.
func (c *clocks) watch(pods map[string]string) {
	c.pods = map[string]string{}
	if len(c.system) == 0 {
		return
	}
	for name, pattern := range pods {
		if found := clockFiles(pattern); len(found) == 1 {
			c.pods[name] = found[0]
		}
	}
}

// clockFiles are those of the cgroups that a pattern matches, in whichever version.
func clockFiles(pattern string) []string {
	const root = "/sys/fs/cgroup"
	for _, file := range []string{filepath.Join(root, "cpuacct", pattern, "cpuacct.usage"), filepath.Join(root, pattern, "cpu.stat")} {
		if found, _ := filepath.Glob(file); len(found) > 0 {
			return found
		}
	}
	return nil
}

func (c *clocks) read() (usage, error) {
	u := usage{}
	for _, files := range []map[string]string{c.system, c.pods} {
		for name := range maps.Keys(files) {
			v, err := readClock(files[name])
			if err != nil {
				return nil, fmt.Errorf("read the CPU time of %s: %w", name, err)
			}
			u[name] = v
		}
	}
	return u, nil
}

func readClock(file string) (time.Duration, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(raw))
	if v, ok := strings.CutPrefix(text, "usage_usec "); ok { // cgroup v2
		text = strings.Fields(v)[0] + "000"
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return time.Duration(n), err
}
