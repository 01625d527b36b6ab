// SPDX-License-Identifier: Apache-2.0

//go:build live

package observer_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// run starts an act of TestMain in a cgroup, "" for the test's own.
func run(t *testing.T, dir string, act ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "KG_ACT="+strings.Join(act, " "), "KG_CGROUP="+dir)
	c.Stderr, c.Stdout = os.Stderr, &bytes.Buffer{}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c
}

func TestMain(m *testing.M) {
	act := strings.Fields(os.Getenv("KG_ACT"))
	if len(act) == 0 {
		os.Exit(m.Run())
	}
	if dir := os.Getenv("KG_CGROUP"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			panic(err)
		}
	}
	switch act[0] {
	case "spin":
		n, _ := strconv.Atoi(act[1])
		for range n {
			go func() {
				for n := 0; ; n++ {
					_ = n
				}
			}()
		}
		select {}
	case "serve":
		serve(act[1])
	case "ask":
		ask(act[1])
	case "ping":
		ping(act[1])
	}
}

// serve answers each byte after some milliseconds of work.
func serve(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			b := make([]byte, 1)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				work(time.Duration(b[0]) * time.Millisecond)
				_, _ = c.Write(b)
			}
		}()
	}
}

// work uses so much CPU time of this thread.
func work(d time.Duration) {
	var from, now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &from)
	for now = from; now.Nano()-from.Nano() < d.Nanoseconds(); {
		_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
	}
}

// ping sends requests of 30 ms of work, one every 400 ms, and writes how long each
// took.
func ping(address string) {
	c, err := net.Dial("tcp", address)
	for ; err != nil; c, err = net.Dial("tcp", address) {
		time.Sleep(10 * time.Millisecond)
	}
	for tick := time.Tick(400 * time.Millisecond); ; <-tick {
		began := time.Now()
		b := []byte{30}
		_, _ = c.Write(b)
		_, _ = io.ReadFull(c, b)
		fmt.Println(time.Since(began).Microseconds())
	}
}

// ask sends requests at random times, 16 a second, over connections that do not
// wait for each other.
func ask(address string) {
	var pool []net.Conn
	for len(pool) < 16 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		pool = append(pool, c)
		go func() { _, _ = io.Copy(io.Discard, c) }()
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; ; i++ {
		time.Sleep(time.Duration(random.ExpFloat64() / 16 * float64(time.Second)))
		_, _ = pool[i%len(pool)].Write([]byte{byte(10 + random.IntN(20))})
	}
}

func brief(w *v1alpha1.KernelWhisper) string {
	var b bytes.Buffer
	k := w.Spec.KernelTruth
	fmt.Fprintf(&b, "throttled %s %%, used %dm", k.ThrottledPercent, k.UsageMillicores)
	if s := w.Spec.Bursts; s != nil {
		fmt.Fprintf(&b, "; %d activations, %d outside, %d stalled, lost %s %%, peak %d, never slept %s, %d threads, %d CPUs %q, request %d, preemptors %v, lost %d",
			s.Activations, s.OutsideActivations, s.StalledActivations, k.ThreadTimeLostPercent, s.PeakCPUMicroseconds, s.NeverSleptPercent, s.Threads, s.CPUs, s.Language, s.RequestMillicores, s.Preemptors, s.Lost)
	}
	for name, v := range map[string]*int64{"p50": k.StallP50Microseconds, "p99": k.StallP99Microseconds, "wait": k.RunQueueWaitP99Microseconds} {
		if v != nil {
			fmt.Fprintf(&b, "; %s %d", name, *v)
		}
	}
	if c := w.Spec.Counterfactual; c != nil {
		fmt.Fprintf(&b, "; closed %s, bound %t, burst %v", c.ClosedPercent, c.LowerBound, c.BurstMicroseconds)
		for _, p := range c.Curve {
			fmt.Fprintf(&b, " %d:%s(%s-%s)/%d", p.LimitMillicores, p.ThrottledPercent, p.ThrottledPercentLow, p.ThrottledPercentHigh, p.StallP99Microseconds)
		}
	}
	if c := w.Spec.Change; c != nil {
		fmt.Fprintf(&b, "; change %d to %d", c.FromMillicores, c.ToMillicores)
		if m := c.Measured; m != nil {
			fmt.Fprintf(&b, " measured %s %%", m.ThrottledPercent)
			if m.StallP99Microseconds != nil {
				fmt.Fprintf(&b, " p99 %d", *m.StallP99Microseconds)
			}
		}
	}
	if w.Spec.EndTime != nil {
		b.WriteString("; ended")
	}
	return b.String()
}
