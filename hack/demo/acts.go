// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
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
	e.tell(p, "Running", true)
	if _, err := heard(ctx, e.certificates, "birth certificate"); err != nil {
		return err
	}
	stat, stop := sample(filepath.Join(p.containerDir(), "cpu.stat"))
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
	if err := view.Whisper(os.Stdout, w); err != nil {
		return err
	}
	return checkThrottling(w, <-stat)
}

func checkThrottling(w *v1alpha1.KernelWhisper, samples []cpuStat) error {
	k := w.Spec.KernelTruth
	end := w.Spec.LastSeenTime.Time
	start := end.Add(-time.Duration(k.WindowMilliseconds) * time.Millisecond)
	from, to := nearest(samples, start), nearest(samples, end)
	periods, throttled := to.periods-from.periods, to.throttled-from.throttled
	if periods == 0 {
		return fmt.Errorf("check: cpu.stat shows no periods in the whisper's window")
	}
	percent := 100 * float64(throttled) / float64(periods)
	ours, err := strconv.ParseFloat(k.ThrottledPercent, 64)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	fmt.Println()
	t := newTable("CHECK", "WHISPER", "INDEPENDENTLY", "SOURCE")
	// cpu.stat is read every 50 ms: the two windows can differ by a period at each end.
	near := func(a, b int64) bool { return a-b <= 2 && b-a <= 2 }
	t.row("active periods", fmt.Sprint(k.Periods), fmt.Sprint(periods), "cpu.stat nr_periods, within 2", near(k.Periods, periods))
	t.row("throttled periods", fmt.Sprint(k.ThrottledPeriods), fmt.Sprint(throttled), "cpu.stat nr_throttled, within 2", near(k.ThrottledPeriods, throttled))
	t.row("throttled %", k.ThrottledPercent, fmt.Sprintf("%.1f", percent), "the difference of cpu.stat, within 2 points", math.Abs(percent-ours) <= 2)
	return t.print()
}

// cpuStat is one reading of cpu.stat.
type cpuStat struct {
	at                 time.Time
	periods, throttled int64
}

// sample reads a cpu.stat twenty times a second until it is stopped.
func sample(file string) (<-chan []cpuStat, func()) {
	quit, out := make(chan struct{}), make(chan []cpuStat, 1)
	go func() {
		var all []cpuStat
		for tick := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-quit:
				tick.Stop()
				out <- all
				return
			case <-tick.C:
				if s, ok := readCPUStat(file); ok {
					all = append(all, s)
				}
			}
		}
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

func nearest(samples []cpuStat, at time.Time) cpuStat {
	var best cpuStat
	for _, s := range samples {
		if best.at.IsZero() || s.at.Sub(at).Abs() < best.at.Sub(at).Abs() {
			best = s
		}
	}
	return best
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
