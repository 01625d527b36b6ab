// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// Weather that would be everybody's on a shared machine: these run in the virtual
// machines of hack/kernels, whose init says that nobody else is there.

func needOwnMachine(t *testing.T) {
	t.Helper()
	needKernel(t)
	if os.Getenv("KG_OWN_MACHINE") == "" {
		t.Skip("changes the whole machine: run in the virtual machines of make test-kernels")
	}
}

// The wall clock is set forward by an hour in the midst of a birth, and back in the
// midst of another: both are told in their order, and last as long as they did.
func TestTheWallClockIsSet(t *testing.T) {
	needOwnMachine(t)
	k := listen(t)
	path := program(t, runtimeName)
	n := observeWith(t, k.Probe, heardBy(k), probe.Wall)
	k.arm()
	for i, step := range []time.Duration{time.Hour, -time.Hour} {
		began := time.Now()
		p := n.announce(i + 1)
		p.born(path, forker(t, 5)...)
		setClock(t, step)
		p.says()
		p.ready()
		c := p.certificate()
		bornWhole(t, c, 6)
		took := time.Duration(c.Spec.KernelStats.DurationMicroseconds) * time.Microsecond
		if took <= 0 || took > time.Since(began) {
			t.Errorf("step %s: the birth took %s of %s", step, took, time.Since(began))
		}
		if r := c.Spec.Milestones.Ready; r == nil || r.Clock != v1alpha1.ClockWatch {
			t.Errorf("step %s: ready %+v, want it by the clock that does not step", step, r)
		}
	}
}

// setClock sets the wall clock by so much, and back when the test ends.
func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	step := func(by time.Duration) error {
		now := unix.NsecToTimeval(time.Now().Add(by).UnixNano())
		return unix.Settimeofday(&now)
	}
	if err := step(by); err != nil {
		t.Fatalf("set the wall clock: %v", err)
	}
	t.Cleanup(func() {
		if err := step(-by); err != nil {
			t.Errorf("set the wall clock back: %v", err)
		}
	})
}

// A CPU is taken away in the midst of a birth and given back in the midst of another.
func TestACPUComesAndGoes(t *testing.T) {
	needOwnMachine(t)
	const online = "/sys/devices/system/cpu/cpu1/online"
	if _, err := os.Stat(online); err != nil {
		t.Skipf("there is no second CPU that could be taken away: %v", err)
	}
	k := listen(t)
	path := program(t, runtimeName)
	n := observeWith(t, k.Probe, heardBy(k), probe.Wall)
	t.Cleanup(func() { _ = os.WriteFile(online, []byte("1"), 0) })
	k.arm()
	for i, state := range []string{"0", "1"} {
		p := n.announce(i + 1)
		p.born(path, forker(t, 200)...)
		write(t, online, state)
		p.says()
		p.ready()
		c := p.certificate()
		bornWhole(t, c, 201)
		k.wantNothingLost(c)
	}
}
