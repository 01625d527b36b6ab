// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// bombard forks as fast as every CPU does it, outside of any birth. What it returns
// ends it, and says how many processes were made on this machine meanwhile, and how
// many per second.
func bombard(t *testing.T) func() (n, rate int) {
	t.Helper()
	began, before := time.Now(), forks(t)
	var cmds []*exec.Cmd
	for range runtime.NumCPU() {
		command := forker(t, 0)
		cmds = append(cmds, start(t, command[0], command[1:]...))
	}
	return func() (n, rate int) {
		t.Helper()
		for _, cmd := range cmds {
			_ = cmd.Process.Kill()
		}
		n = forks(t) - before
		return n, int(float64(n) / time.Since(began).Seconds())
	}
}

// forks is how many processes and threads this machine has made (proc_stat(5)).
func forks(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), "\nprocesses ")
	n, err := strconv.Atoi(strings.TrimSpace(after[:strings.IndexByte(after, '\n')]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// While something outside of all births forks as fast as it can, births are told
// as ever, and nothing is heard of it.
func TestForkBombBesideBirths(t *testing.T) {
	k := listen(t)
	path := program(t, runtimeName)
	n := observeWith(t, k.Probe, heardBy(k), probe.Wall)
	before := heapInUse()
	stop := bombard(t)
	first, born := forks(t), 0
	for ; born < 3 || born < 20 && forks(t) < first+30_000; born++ {
		p := n.announce(born + 1)
		p.born(path, forker(t, 5)...)
		p.says()
		p.ready()
		c := p.certificate()
		bornWhole(t, c, 6)
		k.wantNothingLost(c)
	}
	made, rate := stop()
	s := n.until("told", func(s observer.Stats) bool { return s.Births[v1alpha1.OutcomeReady] == uint64(born) })
	k.wantNothingOf(s, made)
	after := heapInUse()
	t.Logf("%d processes outside of %d births, %d per second; heap %d KiB before, %d KiB after", made, born, rate, before>>10, after>>10)
	if after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
	}
}

// wantNothingLost fails where a certificate says that something was lost, but for
// runs of programs that the kernel left out.
func (k *kernel) wantNothingLost(c *v1alpha1.PodBirthCertificate) {
	k.t.Helper()
	for _, l := range c.Spec.Coverage.Lost {
		if l.Reason != v1alpha1.LossProgramSkipped {
			k.t.Errorf("%s: lost %+v", c.Name, c.Spec.Coverage.Lost)
		}
	}
}

// wantNothingOf fails if the processes outside of births were heard: they would
// be far more than all else.
func (k *kernel) wantNothingOf(s observer.Stats, made int) {
	k.t.Helper()
	if heard := s.Events[event.Exit] + s.Events[event.OffCPU]; made > 20_000 && heard > uint64(made)/2 {
		k.t.Errorf("%d processes were made outside of births, and %d events were heard: %v", made, heard, s.Events)
	}
}

// A workload that forks without measure while it is born is counted to the last
// process; what is told one by one is bounded, and the certificate says of what
// is left out that it is.
func TestForkBombInABirth(t *testing.T) {
	k := listen(t)
	const forked = 20_000
	path := program(t, runtimeName)
	n := observeWith(t, k.Probe, heardBy(k), probe.Wall)
	before := heapInUse()
	began := time.Now()
	bombed, other := n.announce(1), n.announce(2)
	k.arm()
	bombed.born(path, forker(t, forked)...)
	other.born(path, forker(t, 5)...)
	other.says()
	other.ready()
	bombed.says()
	took := time.Since(began)
	bombed.ready()
	c := bombed.certificate()
	bornWhole(t, c, forked+1)
	k.wantNothingLost(c)
	bornWhole(t, other.certificate(), 6)
	k.wantNothingLost(other.certificate())
	if e := c.Spec.Coverage.Events; e.Attributed > 200 {
		t.Errorf("%d events of one birth: want them bounded", e.Attributed)
	}
	t.Logf("%d processes in a birth, %d per second; events %+v, missing %q", forked, int(forked/took.Seconds()),
		*c.Spec.Coverage.Events, c.Spec.Coverage.Missing)
	if after := heapInUse(); after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d KiB", before>>10, after>>10)
	}
}

// The end of an entrypoint is told, however many processes of it have ended before.
func TestAnEntrypointEndsAfterManyOthers(t *testing.T) {
	k := listen(t)
	n := observeWith(t, k.Probe, heardBy(k), probe.Wall)
	p := n.announce(1)
	p.born(program(t, runtimeName), forker(t, 100)...)
	p.says()
	if _, err := p.in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = p.workload.Wait()
	p.ended(1)
	c := p.certificate()
	if m := c.Spec.Milestones.Containers; len(m) != 1 || m[0].Ended == nil {
		t.Errorf("the end of the entrypoint was not told: %+v", m)
	}
	if f := c.Spec.Failure; f == nil || f.ExitCode == nil || *f.ExitCode != 1 {
		t.Errorf("failure %+v", f)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
