// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/groups"
	"github.com/kernel-gossip/kernel-gossip/hack/bench/subject"
)

// helper is this program in another role, in a cgroup of its own; it answers each
// line with one.
type helper struct {
	*subject.Subject
	to      io.WriteCloser
	from    *bufio.Scanner
	answers io.Closer
}

func startHelper(g *groups.Groups, path string, role ...string) (*helper, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(self, role...)
	// A signal each 10 ms, by which Go moves goroutines, is no part of the work.
	command.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	command.Stderr = os.Stderr
	in, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	from, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	command.Stdin, command.Stdout = in, out
	s, err := subject.Start(g, path, command)
	_ = in.Close()
	_ = out.Close()
	if err != nil {
		return nil, err
	}
	return &helper{s, to, bufio.NewScanner(from), from}, nil
}

func (h *helper) ask(format string, args ...any) (string, error) {
	if _, err := fmt.Fprintf(h.to, format+"\n", args...); err != nil {
		return "", fmt.Errorf("ask a helper: %w", err)
	}
	if !h.from.Scan() {
		return "", errors.Join(errors.New("a helper ended"), h.from.Err(), h.End())
	}
	if why, failed := strings.CutPrefix(h.from.Text(), "error: "); failed {
		return "", errors.New(why)
	}
	return h.from.Text(), nil
}

func (h *helper) close() error {
	_ = h.to.Close() // it ends at the end of its input
	err := h.EndBy(syscall.SIGCONT)
	return errors.Join(err, h.answers.Close())
}

// answerLines is the other side: it answers until its input ends.
func answerLines(answer func(line string) (string, error)) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		said, err := answer(lines.Text())
		if err != nil {
			said = "error: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Println(said)
	}
	return lines.Err()
}

// work is a worker as the bench sees it, with how much of each workload takes the
// time that was asked for.
type work struct {
	*helper
	groups  *groups.Groups
	path    string
	amounts map[string]int
}

// measured is one measurement of a workload, in ns: by the wall, and the CPU time of
// its cgroup, peers and children included.
type measured struct{ wall, cpu float64 }

func (w *work) do(name string, n int) (measured, error) {
	before, err := w.groups.CPU(w.path)
	if err != nil {
		return measured{}, err
	}
	said, err := w.ask("%q %d", name, n)
	if err != nil {
		return measured{}, fmt.Errorf("%s: %w", name, err)
	}
	wall, err := strconv.ParseFloat(said, 64)
	if err != nil {
		return measured{}, fmt.Errorf("understand the worker's answer %q: %w", said, err)
	}
	after, err := w.groups.CPU(w.path)
	return measured{wall, float64(after - before)}, err
}

// startWork starts a worker and finds how much it does in about the given time (ns).
func startWork(g *groups.Groups, path string, long float64) (*work, error) {
	if err := g.Mkdir(path); err != nil {
		return nil, err
	}
	h, err := startHelper(g, path, "work")
	if err != nil {
		return nil, err
	}
	w := &work{h, g, path, map[string]int{}}
	for _, name := range workloads {
		n := 50
		for {
			m, err := w.do(name, n)
			if err != nil {
				return nil, errors.Join(err, w.close())
			}
			if m.wall > long/4 {
				w.amounts[name] = max(1, int(float64(n)*long/m.wall))
				break
			}
			n *= 3
		}
	}
	return w, nil
}
