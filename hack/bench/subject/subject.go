// SPDX-License-Identifier: Apache-2.0

// Package subject is a program under measurement, in a cgroup of its own so that
// all that it takes counts there: kernel-observer, mostly.
package subject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/groups"
)

// patience bounds how long a program may take to begin and to end.
const patience = 90 * time.Second

// Subject is a running program.
type Subject struct {
	command *exec.Cmd
	ended   chan error
	metrics string // where the observer serves
}

// Start runs a command in a cgroup of the given groups: a shell enters it first, so
// that all of the program's memory and CPU time counts there.
func Start(g *groups.Groups, path string, command *exec.Cmd) (*Subject, error) {
	enter := ""
	for _, file := range g.Procs(path) {
		enter += fmt.Sprintf("echo $$ >%q && ", file)
	}
	shell := exec.Command("sh", append([]string{"-c", enter + `exec "$@"`, "sh", command.Path}, command.Args[1:]...)...)
	shell.Stdin, shell.Stdout, shell.Stderr, shell.Env = command.Stdin, command.Stdout, command.Stderr, command.Env
	s := &Subject{command: shell, ended: make(chan error, 1)}
	if err := shell.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	go func() { s.ended <- shell.Wait() }()
	return s, nil
}

// Observer runs kernel-observer in the cgroup "observer" until it is ready.
func Observer(ctx context.Context, program string, g *groups.Groups, args ...string) (*Subject, error) {
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, append([]string{"--output=none", "--listen=" + metrics, "--log-level=error"}, args...)...)
	command.Stderr = os.Stderr
	s, err := Start(g, "observer", command)
	if err != nil {
		return nil, err
	}
	s.metrics = metrics
	for deadline := time.Now().Add(patience); ; {
		if _, err := s.Get("/readyz"); err == nil {
			return s, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(errors.New("the observer does not get ready"), s.End())
		}
		if err := s.Wait(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// PID of the program.
func (s *Subject) PID() int { return s.command.Process.Pid }

// Wait leaves the program alone; it must not end.
func (s *Subject) Wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-s.ended:
		s.ended <- err
		return fmt.Errorf("%s ended: %w", s.command.Args[4], errors.Join(errors.New("too early"), err))
	case <-ctx.Done():
		return errors.Join(ctx.Err(), s.End())
	}
}

// End asks the program to end, and waits.
func (s *Subject) End() error { return s.EndBy(syscall.SIGTERM) }

// EndBy ends the program by a signal, and waits.
func (s *Subject) EndBy(signal syscall.Signal) error {
	_ = s.command.Process.Signal(signal) // it may have ended
	select {
	case err := <-s.ended:
		s.ended <- err
		return err
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s does not end", s.command.Args[4]), s.command.Process.Kill())
	}
}

// freeAddress is one of this machine that nobody serves at now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Get asks an observer.
func (s *Subject) Get(path string) (string, error) {
	answer, err := http.Get("http://" + s.metrics + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", path, answer.Status)
	}
	raw, err := io.ReadAll(answer.Body)
	return string(raw), err
}

// Metric is what an observer says, summed over the labels; false if it says nothing
// by that name.
func (s *Subject) Metric(name string) (float64, bool) {
	text, err := s.Get("/metrics")
	if err != nil {
		return 0, false
	}
	return Sum(text, name)
}

// Sum adds a metric's values over its labels; false if there is none. name may have
// a label in braces, as the text has it.
func Sum(text, name string) (sum float64, found bool) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err == nil {
			sum, found = sum+v, true
		}
	}
	return sum, found
}

// Resident memory in bytes.
func (s *Subject) Resident() (uint64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.PID()))
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseUint(strings.Fields(string(raw))[1], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}
