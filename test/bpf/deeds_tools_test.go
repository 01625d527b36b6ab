// SPDX-License-Identifier: Apache-2.0

//go:build !bare

package bpf

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// These tests run tools of a whole machine. Those of the kernel matrix have none,
// and it compiles the tests without them (tag bare).

// needTools gives a test programs of this machine, or skips it.
func needTools(t *testing.T, names ...string) []string {
	t.Helper()
	var paths []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is not on this machine", name)
		}
		paths = append(paths, path)
	}
	return paths
}

// The same with the real tool, and what the kernel says that there is.
func TestNetworkDevicesOfTheRealTool(t *testing.T) {
	k := listen(t)
	k.arm()
	sh := needTools(t, "sh", "ip")[0]
	const script = "ip link add br0 type bridge && ip link add a0 type veth peer name a1 && ip link set a0 master br0 up && ip -o link | grep -vc ': lo:'"
	if out, err := exec.Command(program(t, "try"), "apart", sh, "-c", script).CombinedOutput(); err != nil {
		t.Skipf("bridge and veth devices cannot be made here: %v: %s", err, out)
	}
	path := program(t, "any-plugin")
	k.insist(t, func(int) string {
		open, said, wrong := k.run(t, plugin(path, "apart", sh, "-c", script))
		if wrong != "" {
			return wrong
		}
		// A pair of veth devices is one request.
		if c := k.counts(open.Session).Own; c.NetDevices != 2 || strings.TrimSpace(said) != "3" {
			return fmt.Sprintf("%d requests, and %s devices; want 2, and 3", c.NetDevices, strings.TrimSpace(said))
		}
		return ""
	})
}

// Rules that the real tools hand to the kernel, against the list of them after.
func TestNetfilterRulesAgainstTheirList(t *testing.T) {
	k := listen(t)
	k.arm()
	sh := needTools(t, "sh")[0]
	path := program(t, "any-plugin")
	one := "%[1]s -t nat -N KG && %[1]s -t nat -A KG -p tcp --dport 80 -j RETURN && %[1]s -A INPUT -p udp -j ACCEPT && %[1]s -I OUTPUT -j ACCEPT"
	// A chain is two entries of a legacy table: its head and its end.
	list := " && if [ %[1]s = iptables-legacy ]; then extra=-N; fi; (%[1]s -S; %[1]s -t nat -S) | sed \"s/^-N.*/$extra\\n$extra/\" | grep -c -e '^-A' -e '^-N'"
	for name, script := range map[string]string{
		"one by one": one + list,
		"at once":    "(echo '*filter'; for i in $(seq 50); do echo \"-A INPUT -p tcp --dport $i -j ACCEPT\"; done; echo COMMIT) | %[1]s-restore" + list,
		"many":       "(echo '*filter'; for i in $(seq 200); do echo \"-A INPUT -p tcp --dport $i -j ACCEPT\"; done; echo COMMIT) | %[1]s-restore" + list,
	} {
		for _, tool := range []string{"iptables-nft", "iptables-legacy"} {
			t.Run(tool+" "+name, func(t *testing.T) {
				needTools(t, tool, tool+"-restore")
				command := fmt.Sprintf(script, tool)
				if out, err := exec.Command(program(t, "try"), "apart", sh, "-c", command).CombinedOutput(); err != nil {
					t.Skipf("this kernel does not take rules of %s: %v: %s", tool, err, out)
				}
				k.insist(t, func(int) string {
					open, said, wrong := k.run(t, plugin(path, "apart", sh, "-c", command))
					if wrong != "" {
						return wrong
					}
					listed, err := strconv.ParseUint(strings.TrimSpace(said), 10, 64)
					if err != nil {
						t.Fatal(err)
					}
					c := k.counts(open.Session).Own
					t.Logf("%d rules counted, %d listed", c.NetfilterRules, listed)
					if c.NetfilterRules != listed || listed == 0 {
						return fmt.Sprintf("%d rules counted, %d listed", c.NetfilterRules, listed)
					}
					return ""
				})
			})
		}
	}
}
