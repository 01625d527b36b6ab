// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// hearBirth is the first act: a workload is born, and its certificate is held
// against /proc and the cgroup tree.
func hearBirth(ctx context.Context, s *stage, e *ears) error {
	title("1. A birth: a process in its own namespaces and cgroup, until it listens")
	p := newPod("born")
	e.tell(p, "Pending", false)
	if err := s.start(p, 0, "listen"); err != nil {
		return err
	}
	e.tell(p, "Running", false)
	if err := waitFor(ctx, "the workload to listen", func() bool { return listens(p.init) }); err != nil {
		return err
	}
	e.tell(p, "Running", true)
	c, err := heard(ctx, e.certificates, "birth certificate")
	if err != nil {
		return err
	}
	c.Status = verdict.Certificate(c, nil, time.Now())
	if err := view.Certificate(os.Stdout, c); err != nil {
		return err
	}
	return checkBirth(p, c)
}

func checkBirth(p *pod, c *v1alpha1.PodBirthCertificate) error {
	n := c.Spec.KernelStats.NamespacesCreated
	if n == nil {
		return fmt.Errorf("check: the certificate does not know the namespaces: %v", c.Spec.Coverage.Missing)
	}
	own, err := namespacesUnlikeOurs(p.init)
	if err != nil {
		return err
	}
	dirs, err := filepath.Glob(filepath.Join(p.dir, "*", "cgroup.procs"))
	if err != nil {
		return err
	}
	var workload int64
	for _, a := range c.Spec.KernelStats.Actors {
		if a.Actor == v1alpha1.ActorWorkload {
			workload += a.Processes
		}
	}
	fmt.Println()
	t := newTable("CHECK", "CERTIFICATE", "INDEPENDENTLY", "SOURCE")
	t.same("namespaces made", n.Mount+n.PID+n.Network+n.UTS+n.IPC, own, "/proc/PID/ns against our own")
	t.same("cgroups made", c.Spec.KernelStats.CgroupsCreated, int64(1+len(dirs)), p.dir)
	t.same("processes of the workload", workload, processes(p), "cgroup.procs")
	return t.print()
}

// hearThrottling is the second act: a workload runs into its limit, and its whisper
// is held against cpu.stat.
func hearThrottling(ctx context.Context, s *stage, e *ears) error {
	title("2. A whisper: a busy loop that may use 20 % of one CPU")
	p := newPod("held")
	e.tell(p, "Pending", false)
	if err := s.start(p, 20, "spin"); err != nil {
		return err
	}
	stat, stop := sample(filepath.Join(p.containerDir(), "cpu.stat"))
	e.tell(p, "Running", true)
	if _, err := heard(ctx, e.certificates, "birth certificate"); err != nil {
		return err
	}
	first, err := heard(ctx, e.whispers, "whisper")
	if err != nil {
		return err
	}
	fmt.Printf("heard after %s; listening on for a longer window ...\n", first.Spec.LastSeenTime.Sub(first.Spec.StartTime.Time).Round(time.Millisecond))
	w, err := heard(ctx, e.whispers, "second whisper")
	if err != nil {
		return err
	}
	stop()
	w.Status = verdict.Whisper(w, nil, time.Now())
	if err := view.Whisper(os.Stdout, w, view.Terminal{}); err != nil {
		return err
	}
	return checkThrottling(w, <-stat)
}

func checkThrottling(w *v1alpha1.KernelWhisper, samples []cpuStat) error {
	k := w.Spec.KernelTruth
	end := w.Spec.LastSeenTime.Time
	opened, err := around(samples, end.Add(-time.Duration(k.WindowMilliseconds)*time.Millisecond))
	if err != nil {
		return err
	}
	closed, err := around(samples, end)
	if err != nil {
		return err
	}
	fmt.Println()
	t := newTable("CHECK", "WHISPER", "INDEPENDENTLY", "SOURCE")
	t.within("active periods", k.Periods, closed.least.periods-opened.most.periods,
		closed.most.periods-opened.least.periods, "cpu.stat nr_periods, read before and after")
	t.within("throttled periods", k.ThrottledPeriods, closed.least.throttled-opened.most.throttled,
		closed.most.throttled-opened.least.throttled, "cpu.stat nr_throttled, read before and after")
	percent := fmt.Sprintf("%.1f", 100*float64(k.ThrottledPeriods)/float64(k.Periods))
	t.row("throttled %", k.ThrottledPercent, percent, "throttled of active periods", percent == k.ThrottledPercent)
	return t.print()
}

// cpuStat is one reading of cpu.stat.
type cpuStat struct {
	at                 time.Time
	periods, throttled int64
}

// sample reads a cpu.stat twenty times a second until it is stopped, and a few
// times more, so that there are readings after the moment of the stop.
func sample(file string) (<-chan []cpuStat, func()) {
	const after = 3
	quit, out := make(chan struct{}), make(chan []cpuStat, 1)
	go func() {
		var all []cpuStat
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for left := after; left > 0; {
			<-tick.C
			if s, ok := readCPUStat(file); ok {
				all = append(all, s)
			}
			select {
			case <-quit:
				left--
			default:
			}
		}
		out <- all
	}()
	return out, func() { close(quit) }
}

func readCPUStat(file string) (cpuStat, bool) {
	f, err := os.Open(file)
	if err != nil {
		return cpuStat{}, false
	}
	defer func() { _ = f.Close() }()
	s := cpuStat{at: time.Now()}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, _ = fmt.Sscanf(lines.Text(), "nr_periods %d", &s.periods)
		_, _ = fmt.Sscanf(lines.Text(), "nr_throttled %d", &s.throttled)
	}
	return s, true
}

// bracket are the readings just before and just after a moment: what a counter
// was at that moment lies between them.
type bracket struct{ least, most cpuStat }

func around(samples []cpuStat, at time.Time) (bracket, error) {
	for i := range samples {
		// A reading bears the time before it was taken: one more on each side.
		if samples[i].at.After(at) && i >= 2 && i+1 < len(samples) {
			return bracket{samples[i-2], samples[i+1]}, nil
		}
	}
	return bracket{}, errors.New("check: cpu.stat was not read around the whisper's window")
}

// namespacesUnlikeOurs counts the namespaces of a process that are not ours.
func namespacesUnlikeOurs(pid int) (int64, error) {
	var n int64
	for _, kind := range []string{"mnt", "pid", "net", "uts", "ipc"} {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		if err != nil {
			return 0, fmt.Errorf("check: %w", err)
		}
		ours, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			return 0, fmt.Errorf("check: %w", err)
		}
		if theirs != ours {
			n++
		}
	}
	return n, nil
}

// listens is true once a process' network namespace has a listening TCP socket.
func listens(pid int) bool {
	const listening = "0A" // net/ipv4/tcp_ipv4.c get_tcp4_sock: the state TCP_LISTEN
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 3 && f[3] == listening {
			return true
		}
	}
	return false
}

func processes(p *pod) int64 {
	raw, _ := os.ReadFile(filepath.Join(p.containerDir(), "cgroup.procs"))
	return int64(len(strings.Fields(string(raw))))
}

func waitFor(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
