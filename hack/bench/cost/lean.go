// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/groups"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
	"github.com/kernel-gossip/kernel-gossip/internal/probe/bursts"
	"golang.org/x/sys/unix"
)

// runLean is a process that leans in on the cgroups that it is told, as the observer
// does: whom the observer leans in on is its own choice, and this one is to be told.
// "start ID" and "stop ID" listen without an end of their own; "lean ID" begins a
// lean-in as the observer has them, and "heard" waits for its end.
func runLean() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l, err := bursts.Load(bursts.Options{MaxBursts: observer.BurstsMax * 5 / 4})
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	none := func(uint64, uint64) (event.Group, error) { return event.Group{}, nil }
	ears := observer.NewEars(l, none, nil, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	go ears.Run(ctx)
	return answerLines(func(line string) (string, error) {
		var verb string
		var id uint64
		if _, err := fmt.Sscan(line, &verb, &id); err != nil {
			return "", fmt.Errorf("understand %q: %w", line, err)
		}
		switch verb {
		case "start":
			return "listening", l.Start(id)
		case "lean":
			ears.LeanIn(observer.LeanIn{LeanIn: cpu.LeanIn{ContainerID: fmt.Sprint(id), For: leanInFor}, Levels: []observer.CgroupRef{{ID: id}}})
			return "leaning in", nil
		case "heard":
			return heard(<-ears.Heard())
		}
		r, err := l.Stop(id)
		return fmt.Sprintf("%d bursts, %d lost", len(r.Bursts), r.Lost), err
	})
}

// heard tells how many bursts a lean-in heard, and for how many ns it listened.
func heard(h observer.Heard) (string, error) {
	if h.Failed != "" {
		return "", errors.New(h.Failed)
	}
	return fmt.Sprint(len(h.Recording.Bursts), " ", h.Recording.To-h.Recording.From), nil
}

// groupID is a cgroup's id in the cpu controller's hierarchy.
func groupID(g *groups.Groups, path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(g.Dir(path), &st); err != nil {
		return 0, fmt.Errorf("find a cgroup's id: %w", err)
	}
	return st.Ino, nil
}

// leanInFor is how long the observer leans in at most.
var leanInFor = cpu.DefaultConfig().LeanIn

// wholeLean is what a whole lean-in costs its suspect: ratios of the time that work
// takes during which one begins and ends, to the time without.
type wholeLean struct {
	// Workload that is leaned in on, and how long it takes without, in ns.
	Workload string  `json:"workload"`
	Long     float64 `json:"long"`
	Wall     spread  `json:"wall"`
	CPU      spread  `json:"cpu"`
	// Bursts that were heard, and for how long it was listened, in ns.
	Bursts   spread `json:"bursts"`
	Listened spread `json:"listened"`
}

// wholePairs are pairs of twice the length of a lean-in.
const wholePairs = 8

func measureWholeLean(_ context.Context, b *bench) (any, error) {
	out := wholeLean{Workload: "switches"}
	id, err := groupID(b.groups, groupWork)
	if err != nil {
		return nil, err
	}
	n := int(float64(b.work.amounts[out.Workload]) * float64(leanInFor) / float64(b.scale.long))
	var with, without []measured
	var heard, listened []float64
	pairs := min(wholePairs, b.scale.pairs/2)
	for pair := range pairs {
		b.progress("a whole lean-in, pair %d of %d", pair+1, pairs)
		err := inTurn(pair, func() error {
			m, err := b.work.do(out.Workload, n)
			without = append(without, m)
			return err
		}, func() error {
			m, k, ns, err := b.leaningInOnce(id, out.Workload, n)
			with, heard, listened = append(with, m), append(heard, k), append(listened, ns)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	wall, used := func(m measured) float64 { return m.wall }, func(m measured) float64 { return m.cpu }
	out.Long = median(each(without, wall))
	out.Wall = spreadOf(ratios(each(with, wall), each(without, wall)))
	out.CPU = spreadOf(ratios(each(with, used), each(without, used)))
	out.Bursts, out.Listened = spreadOf(heard), spreadOf(listened)
	return out, nil
}

func (b *bench) leaningInOnce(id uint64, workload string, n int) (m measured, heard, listened float64, err error) {
	if _, err := b.lean.ask("lean %d", id); err != nil {
		return m, 0, 0, fmt.Errorf("lean in: %w", err)
	}
	m, failed := b.work.do(workload, n)
	said, err := b.lean.ask("heard %d", id)
	if err := errors.Join(failed, err); err != nil {
		return m, 0, 0, err
	}
	_, err = fmt.Sscan(said, &heard, &listened)
	return m, heard, listened, err
}

func each(all []measured, of func(measured) float64) (out []float64) {
	for _, m := range all {
		out = append(out, of(m))
	}
	return out
}

// leanText says it in a sentence.
func leanText(l wholeLean) string {
	return fmt.Sprintf("The observer ends a lean-in at %d bursts, which are enough. %s for %s during which one began, with its replay beside, took %s by the wall and %s in CPU time of the workload (%d pairs): %.0f bursts were heard in the first %s.",
		observer.BurstsMax, strings.ToUpper(l.Workload[:1])+l.Workload[1:], time.Duration(l.Long).Round(100*time.Millisecond), slower(l.Wall), slower(l.CPU), l.Wall.N,
		l.Bursts.Median, time.Duration(l.Listened.Median).Round(10*time.Millisecond))
}
