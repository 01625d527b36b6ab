// SPDX-License-Identifier: Apache-2.0

package observer

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/birth"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// crowd is a kernel with many limited containers, two in each pod.
type crowd struct {
	silent
	pods int
	now  uint64
}

func podOf(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

func containerOf(i, c int) string { return strings.Repeat("c", 52) + fmt.Sprintf("%010d%02d", i, c) }

func (k *crowd) Walk(visit func(id, pointer uint64, path string)) error {
	id := uint64(10)
	for i := range k.pods {
		dir := "/kubepods/burstable/pod" + podOf(i)
		visit(id, id, dir)
		for c := range 2 {
			visit(id+1+uint64(c), id+1+uint64(c), dir+"/"+containerOf(i, c))
		}
		id += 3
	}
	return nil
}

func (k *crowd) ReadGroup(id, _ uint64) (event.Group, error) {
	return event.Group{Cgroup: id, Time: k.now, Quota: 1e7, Period: 1e8, Periods: uint32(k.now / 1e8), Usage: k.now / 100}, nil
}

// BenchmarkRound is what a round of reading costs outside the kernel.
func BenchmarkRound(b *testing.B) {
	for _, pods := range []int{10, 100, 250} {
		b.Run(fmt.Sprint(pods, "-pods"), func(b *testing.B) {
			k := &crowd{pods: pods, now: uint64(time.Hour)}
			c := Config{CPU: cpu.DefaultConfig()}
			c.CPU.Wall = func(at uint64) time.Time { return time.Unix(0, int64(at)) }
			c.Birth.Wall = c.CPU.Wall
			e, err := NewEngine(c, k, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			for i := range pods {
				p := birth.Pod{UID: podOf(i), Namespace: "shop", Name: fmt.Sprint("pod-", i), Phase: "Running", Ready: true}
				for c := range 2 {
					p.Containers = append(p.Containers, birth.Container{Name: fmt.Sprint("app", c), ID: containerOf(i, c), Running: true, Started: true, Ready: true})
				}
				e.Pod(p, k.now)
			}
			b.ReportAllocs()
			for b.Loop() {
				k.now += uint64(time.Second)
				e.Throttling(k.now)
			}
			if s := e.Stats(); s.Samples == 0 || s.Samples%uint64(2*pods) != 0 {
				b.Errorf("%d samples", s.Samples)
			}
		})
	}
}
