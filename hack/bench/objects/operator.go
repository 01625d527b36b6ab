// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

// patience bounds a step of the operator.
const patience = 20 * time.Minute

// service is a running operator.
type service struct {
	command         *exec.Cmd
	metrics, health string
	began           time.Time
	ready           time.Duration // when it had read all objects; 0 until then
	ended           chan error
	rest            float64 // its CPU time when it was last looked at
	still           int
}

// operator runs the real one, with the memory limit that its manifest gives Go.
func (p *plane) operator(o options, flags ...string) (*service, error) {
	limit, err := goLimit(filepath.Join(o.manifests, "40-deployment-operator.yaml"))
	if err != nil {
		return nil, err
	}
	s := &service{began: time.Now(), ended: make(chan error, 1)}
	for _, address := range []*string{&s.metrics, &s.health} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	s.command = exec.Command(filepath.Join(o.programs, "operator"), append([]string{"--kubeconfig=" + p.kubeconfig, "--leader-election=false",
		"--log-level=error", "--metrics-address=" + s.metrics, "--health-address=" + s.health}, flags...)...)
	s.command.Stderr = os.Stderr
	s.command.Env = append(os.Environ(), "GOMEMLIMIT="+limit)
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	go func() { s.ended <- s.command.Wait() }()
	return s, nil
}

// goLimit is the manifest's GOMEMLIMIT.
func goLimit(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(raw), "name: GOMEMLIMIT\n")
	_, after, found := strings.Cut(after, "value: ")
	if !found {
		return "", fmt.Errorf("%s has no GOMEMLIMIT", file)
	}
	return strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]), nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// until asks four times a second.
func (s *service) until(ctx context.Context, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := get("http://" + s.health + "/readyz"); err == nil && s.ready == 0 {
			s.ready = s.age()
		}
		if done() {
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("the operator ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *service) age() time.Duration { return time.Since(s.began) }

// idle is true once the operator has hardly computed for three seconds.
func (s *service) idle() bool {
	const looks, most = 12, 0.02
	now := s.cpu()
	s.still++
	if now-s.rest > most {
		s.still = 0
	}
	s.rest = now
	return s.still >= looks
}

func (s *service) end() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended before
	err := <-s.ended
	s.ended <- err
}

// metric sums a metric over its labels; 0 until there is one.
func (s *service) metric(name string) float64 {
	text, err := get("http://" + s.metrics + "/metrics")
	if err != nil {
		return 0
	}
	sum, _ := subject.Sum(text, name)
	return sum
}

func get(url string) (string, error) {
	answer, err := http.Get(url) //nolint:noctx // of this machine; the caller bounds how often
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", errors.New(answer.Status)
	}
	raw, err := io.ReadAll(answer.Body)
	return string(raw), err
}

// cpu time in seconds.
func (s *service) cpu() float64 { return s.metric("process_cpu_seconds_total") }

// peak and resident memory in MiB.
func (s *service) peak() float64     { return status(s.command.Process.Pid, "VmHWM:") }
func (s *service) resident() float64 { return status(s.command.Process.Pid, "VmRSS:") }

// status of a process: a size in MiB, 0 where it is not told.
func status(pid int, field string) float64 {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(raw), "\n"+field)
	kib, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, _ := strconv.ParseFloat(kib, 64)
	return n / 1024
}

// residentOf a child of this process, in MiB.
func residentOf(program string) float64 {
	own := fmt.Sprintf("PPid:\t%d\n", os.Getpid())
	all, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, file := range all {
		raw, _ := os.ReadFile(file)
		if text := string(raw); strings.HasPrefix(text, "Name:\t"+program+"\n") && strings.Contains(text, own) {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			return status(pid, "VmRSS:")
		}
	}
	return 0
}
