// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const metrics = "127.0.0.1:19464"

// observer is the program under measurement.
type observer struct {
	command *exec.Cmd
	ended   chan error
}

// start runs the observer in its cgroup: a shell enters it first, so that all of
// the program's memory counts there.
func start(ctx context.Context, program, node string, g *groups) (*observer, error) {
	enter := ""
	for _, root := range g.roots {
		enter += fmt.Sprintf("echo $$ >%q && ", filepath.Join(root, "observer", "cgroup.procs"))
	}
	o := &observer{
		command: exec.Command("sh", "-c", enter+`exec "$@"`, "sh", program,
			"--node-name="+node, "--cluster=watch", "--output=none", "--listen="+metrics, "--log-level=warn"),
		ended: make(chan error, 1),
	}
	o.command.Stderr = os.Stderr
	if err := o.command.Start(); err != nil {
		return nil, fmt.Errorf("start the observer: %w", err)
	}
	go func() { o.ended <- o.command.Wait() }()
	for {
		if _, err := o.get("/readyz"); err == nil {
			return o, nil
		}
		if err := o.wait(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// wait leaves the observer alone; it must not end.
func (o *observer) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case err := <-o.ended:
		return fmt.Errorf("the observer ended: %w", err)
	case <-ctx.Done():
		_ = o.command.Process.Signal(syscall.SIGTERM)
		return ctx.Err()
	}
}

func (o *observer) end() error {
	if err := o.command.Process.Signal(syscall.SIGTERM); err != nil {
		return nil // it has ended
	}
	return <-o.ended
}

func (o *observer) get(path string) (string, error) {
	answer, err := http.Get("http://" + metrics + path)
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

// cgroups is how many the observer says that it knows.
func (o *observer) cgroups() string {
	text, _ := o.get("/metrics")
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "kernel_gossip_observer_cgroups "); ok {
			return strings.TrimSpace(v)
		}
	}
	return "?"
}

// resident memory in bytes.
func (o *observer) resident() (uint64, error) {
	fields, err := o.proc("statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize()), err
}

// cpu time used so far, in units of 1/100 s (proc_pid_stat(5): utime and stime).
func (o *observer) cpu() (time.Duration, error) {
	fields, err := o.proc("stat")
	if err != nil {
		return 0, err
	}
	user, err := strconv.ParseInt(fields[13], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[14], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

func (o *observer) proc(file string) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", o.command.Process.Pid, file))
	return strings.Fields(string(raw)), err
}
