// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/probe"
)

// Full perf buffers lose events as a full ring does, and say how many: what is read
// afterwards and what was lost are all that happened.
func TestLadderOfFullPerfBuffers(t *testing.T) {
	k := listen(t) // what others do meanwhile is heard by the ring
	p, err := probe.Load(withTypes(probe.Options{Without: without(t, "ringbuf"), Runtimes: []string{runtimeName}}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	dir, path := makeCgroup(t, "perf")
	began := probe.Now()
	own := overfill(t, p, filepath.Join(dir, "sub"))
	lost, err := p.Lost()
	ended := probe.Now()
	if err != nil || lost.Events == 0 || lost.Sessions != 0 || lost.Members != 0 {
		t.Errorf("lost %+v, %v", lost, err)
	}
	sent := uint64(2 * len(own))
	heard, last := uint64(0), uint64(0)
	readSoFar(t, p, func(e event.Event) {
		if e.Time < last {
			t.Errorf("%s at %d after one at %d", e.Kind, e.Time, last)
		}
		last = e.Time
		if own[e.Cgroup] && (e.Kind == event.CgroupMkdir && e.Path == path+"/sub" || e.Kind == event.CgroupRmdir) {
			heard++
		}
	})
	// Of what others did meanwhile some may be among what was lost.
	k.soFar()
	others := uint64(0)
	for _, e := range k.kept {
		if e.Time >= began && e.Time <= ended && !own[e.Cgroup] {
			others++
		}
	}
	unheard := sent - heard
	if lost.Events+lost.Skipped < unheard || lost.Events > unheard+others {
		t.Errorf("%d of %d were not heard; lost %+v, among it at most %d of others", unheard, sent, lost, others)
	}
	t.Logf("heard %d, lost %d of %d events of cgroups; %d events of others", heard, lost.Events, sent, others)
}

// overfill makes and removes a cgroup on one CPU until its buffer has lost hundreds of
// events. It returns the ids of those that were made.
func overfill(t *testing.T, p *probe.Probe, dir string) map[uint64]bool {
	t.Helper()
	const enough, most = 200, 20_000 // both events of each take more than a KiB, a buffer has 1 MiB
	own := map[uint64]bool{}
	aloneOnFirstCPU(t, func() error {
		for len(own) < most {
			if len(own)%100 == 0 {
				if lost, err := p.Lost(); err != nil || lost.Events > enough {
					return err
				}
			}
			var st unix.Stat_t
			if err := errors.Join(os.Mkdir(dir, 0o755), unix.Stat(dir, &st), os.Remove(dir)); err != nil { //nolint:gosec // cgroups are world-readable
				return err
			}
			own[st.Ino] = true
		}
		return errors.New("the buffer does not fill up")
	})
	return own
}
