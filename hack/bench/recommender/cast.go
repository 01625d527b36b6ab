// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// cast are the processes of a scene: the workload in its container, its clients
// outside, and the neighbor.
type cast struct {
	stage *stage
	place *place
	procs []*proc
}

type proc struct {
	cmd   *exec.Cmd
	start io.WriteCloser
	out   *bufio.Reader
}

// neighbor keeps every CPU busy in a pod of its own that nothing limits.
func neighbor(cpus int) shape { return shape{Kind: kindBatch, Threads: cpus} }

func newCast(s *stage, sc scene, cpus int) (_ *cast, err error) {
	c := &cast{stage: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.place, err = s.newPlace("pod-workload", weightContainer); err != nil {
		return c, err
	}
	if err := c.place.resize(sc.Limits[0]); err != nil {
		return c, err
	}
	if err := c.perform(sc.Shape); err != nil {
		return c, err
	}
	if sc.Busy {
		p, err := s.newPlace("pod-neighbor", weightNeighbor)
		if err != nil {
			return c, err
		}
		_, err = c.enter(p.container(), "work", neighbor(cpus), nil)
		return c, err
	}
	return c, nil
}

// perform starts the workload and its clients.
func (c *cast) perform(s shape) error {
	servers, clients, err := pairs(s.pairs())
	defer closeAll(append(servers, clients...))
	if err != nil {
		return err
	}
	server, err := c.enter(c.place.container(), "work", s, servers)
	if err != nil || !s.hasClients() {
		return err
	}
	port := ""
	if s.byTCP() {
		if port, err = server.out.ReadString('\n'); err != nil {
			return fmt.Errorf("the workload does not listen: %w", err)
		}
	}
	if err := c.stage.make("clients", weightContainer); err != nil {
		return err
	}
	_, err = c.enter("clients", "clients", s, clients, strings.TrimSpace(port))
	return err
}

// enter starts this program in a cgroup: it waits until it is there.
func (c *cast) enter(cgroup, role string, s shape, files []*os.File, more ...string) (*proc, error) {
	spec, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	p := &proc{cmd: exec.Command("/proc/self/exe", append([]string{role, string(spec)}, more...)...)}
	p.cmd.Stderr, p.cmd.ExtraFiles, p.cmd.Env = os.Stderr, files, s.environment(role == "clients")
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.out = bufio.NewReader(out)
		p.start, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	c.procs = append(c.procs, p)
	if err := c.stage.join(cgroup, p.cmd.Process.Pid); err != nil {
		return nil, err
	}
	return p, p.traffic(0)
}

// traffic restarts the process' traffic.
func (p *proc) traffic(seed int) error {
	if _, err := fmt.Fprintln(p.start, seed); err != nil {
		return fmt.Errorf("restart the traffic: %w", err)
	}
	return nil
}

// traffic restarts that of all processes.
func (c *cast) traffic(seed int) error {
	for _, p := range c.procs {
		if err := p.traffic(seed); err != nil {
			return err
		}
	}
	return nil
}

// close ends the processes and removes the cgroups below the stage's own.
func (c *cast) close() error {
	for _, p := range c.procs {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	var errs []error
	for _, name := range []string{"pod-workload", "pod-neighbor", "clients"} {
		errs = append(errs, removeTree(c.stage.dir+"/"+name))
	}
	return errors.Join(errs...)
}

// pairs makes sockets that keep the borders of messages, so that threads can share
// one end.
func pairs(n int) (servers, clients []*os.File, err error) {
	for range n {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return servers, clients, fmt.Errorf("make a socket pair: %w", err)
		}
		servers = append(servers, os.NewFile(uintptr(fds[0]), "server"))
		clients = append(clients, os.NewFile(uintptr(fds[1]), "clients"))
	}
	return servers, clients, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
