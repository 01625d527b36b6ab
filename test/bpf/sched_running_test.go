// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"fmt"
	"os/exec"
	"testing"
	"time"
)

// What the threads ran, and what they stood ready to run, is told as the kernel
// accounts it to them.
func TestRunningAgainstTheKernelsAccount(t *testing.T) {
	k := listen(t)
	k.arm()
	path := program(t, runtimeName)
	t.Run("alone", func(t *testing.T) { k.compareRunning(t, path, "burn") })
	t.Run("with a competitor for the CPU", func(t *testing.T) {
		competitor := exec.Command(program(t, "competitor"), "compete")
		out, err := competitor.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := competitor.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = competitor.Process.Kill(), competitor.Wait() }()
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		k.compareRunning(t, path, "crowded")
	})
}

// compareRunning lets an act burn a CPU. The phase is longer than that: the
// process begins and ends, on a CPU or ready for one. What is told cannot be less
// than the account of the one thread, but for the time in which another one ran,
// and not more than that of the process.
func (k *kernel) compareRunning(t *testing.T, path, way string) {
	t.Helper()
	k.insist(t, func(int) string {
		before := stolen(t)
		said, phase, wrong := k.waits(t, path, spell{way: way})
		if wrong != "" {
			return wrong
		}
		gone := stolen(t) - before
		ran := time.Duration(phase.DurationMicroseconds-*phase.WaitMicroseconds) * time.Microsecond
		stood := time.Duration(phase.Waits.RunnableMicroseconds) * time.Microsecond
		rest := time.Duration(phase.DurationMicroseconds)*time.Microsecond - time.Duration(said.Took)
		t.Logf("%s: told %s on a CPU and %s ready for one, in %s; the thread's account: ran %s (%s by its clock), queued %s, in %s; the process used %s; stolen %s",
			way, ran, stood, time.Duration(phase.DurationMicroseconds)*time.Microsecond, time.Duration(said.Ran), time.Duration(said.CPU),
			time.Duration(said.Queued), time.Duration(said.Took), time.Duration(said.Process), gone)
		// A stretch on a CPU has in it what interrupts and the hypervisor took of it, the
		// accounts have not.
		own, queued, all := time.Duration(said.CPU), time.Duration(said.Queued), time.Duration(said.Process)
		apart := 10*time.Millisecond + own/10 + gone
		switch {
		case ran < own-apart || ran > all+apart:
			return fmt.Sprintf("%s: %s on a CPU; the thread ran %s, the process %s", way, ran, own, all)
		case said.Queued < 0:
			t.Log("this kernel keeps no account of how long threads stand ready to run")
		case stood > queued+rest+apart || stood < queued-(ran-own)-apart:
			return fmt.Sprintf("%s: %s ready to run; the thread stood for %s while others ran %s, and the process was there for %s more",
				way, stood, queued, ran-own, rest)
		}
		return ""
	})
}
