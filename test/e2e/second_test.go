// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// byHand is an observer that somebody starts on the node, beside the DaemonSet's.
type byHand struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines chan string
	said  []string
}

// TestASecondObserver starts observers by hand on the node. Of two that write for one
// node the second stands by, loads nothing, and takes over when the first is killed;
// one that only watches has no seat to wait for.
func TestASecondObserver(t *testing.T) {
	f := cluster(t)
	node := f.local(t)
	t.Parallel()
	program := f.built(t, "kernel-observer")
	const listening, standing = "msg=listening", "standing by until it ends"
	// A node of that name has no pods: nobody is told of anything.
	nobody := fmt.Sprintf("--node-name=nobody-%d", os.Getpid())

	beside := observeByHand(t, program, "beside the DaemonSet's", "--node-name="+node.name)
	beside.says(standing)
	first := observeByHand(t, program, "the first", nobody)
	first.says(listening)
	second := observeByHand(t, program, "the second", nobody)
	second.says(standing)
	watches := observeByHand(t, program, "who only watches", nobody, "--cluster=watch")
	watches.says(listening)

	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	second.says(listening)
	f.figures.add(t, "second observer: the first's kill to listening", "%s", time.Since(killed).Round(time.Millisecond))
	// It stood by all the time, and what it is told then is to end.
	for _, o := range []*byHand{beside, second, watches} {
		o.ends()
	}
	for _, line := range beside.said {
		if strings.Contains(line, listening) {
			t.Errorf("two write for node %s: %s", node.name, line)
		}
	}
}

func observeByHand(t *testing.T, program, name string, args ...string) *byHand {
	t.Helper()
	o := &byHand{t: t, name: name, lines: make(chan string, 1000)}
	o.cmd = exec.Command(program, append([]string{"--cluster=on", "-o", "none"}, args...)...)
	out, err := o.cmd.StderrPipe()
	if err == nil {
		err = o.cmd.Start()
	}
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		_ = o.cmd.Process.Kill()
		_ = o.cmd.Wait()
	})
	go o.follow(out)
	return o
}

func (o *byHand) follow(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		o.lines <- lines.Text()
	}
	close(o.lines)
}

// says waits for a line of its log.
func (o *byHand) says(what string) {
	o.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case line, more := <-o.lines:
			if !more {
				o.t.Fatalf("%s ended without %q: %q", o.name, what, o.said)
			}
			o.said = append(o.said, line)
			if strings.Contains(line, what) {
				return
			}
		case <-deadline:
			o.t.Fatalf("%s did not say %q: %q", o.name, what, o.said)
		}
	}
}

// ends asks it to end, which is no failure.
func (o *byHand) ends() {
	o.t.Helper()
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		o.t.Fatal(err)
	}
	for line := range o.lines {
		o.said = append(o.said, line)
	}
	if err := o.cmd.Wait(); err != nil {
		o.t.Errorf("%s, told to end: %v: %q", o.name, err, o.said)
	}
}
