// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tree of processes behind births, from the kernel's own trace alone. What
// makes a process belong where is what the certificate's documentation says; that
// it was done so is another's word than that of the programs that are tested.

// auditRun is one process that was executed to do one thing, and all that came
// of it: a shim, a runtime or a CNI plugin.
type auditRun struct {
	file   string
	opened time.Duration
	parent *auditRun // the run whose process became this one
	// began is the run's first process.
	began int
	own   auditSide
	// entered is what the run became when it executed a file in a mount namespace
	// that was made within it.
	entered auditSide
}

// auditSide are the threads of a run on one side of an entrypoint's exec.
type auditSide struct {
	processes, execs, calls []time.Duration
	pids                    map[int]bool
}

// auditThread is a thread that is alive.
type auditThread struct {
	run      *auditRun
	entered  bool
	newMount bool // it is in another mount namespace than the run began in
	calling  int64
}

func (th *auditThread) side() *auditSide {
	if th.entered {
		return &th.run.entered
	}
	return &th.run.own
}

// auditTree follows the lines of a trace.
type auditTree struct {
	t       *testing.T
	threads map[int]*auditThread
	flags   map[int]int64 // of the clone that made a thread
	runs    []*auditRun
	lines   int
	// environments of CNI plugins, by process.
	environments map[int]string
	offset       time.Duration // of the trace's clock, from wall time's beginning
}

// at is a moment by the trace's clock.
func (a *auditTree) at(moment time.Time) time.Duration {
	return time.Duration(moment.UnixNano()) - a.offset
}

const auditEvents = "task/task_newtask sched/sched_process_fork sched/sched_process_exec sched/sched_process_exit raw_syscalls/sys_enter raw_syscalls/sys_exit"

// auditDeaf are programs that make many system calls and have no part in what a
// container is made of. A process of a birth that had one of these names would
// be missed, and the comparison would fail.
var auditDeaf = []string{
	"etcd", "kube-apiserver", "kube-controller", "kube-scheduler", "kubelet", "kube-proxy", "kernel-observer", "operator",
	"forward", "containerd", "e2e.test", "kubectl", "go", "compile", "link", "asm", "qemu-system-x86",
}

// audit is a recording that is under way.
type audit struct {
	*trace
	plugins *auditPlugins
}

// startAudit records who forks, executes and ends on this machine, and the
// system calls of all but the deaf.
func startAudit(t *testing.T) *audit {
	t.Helper()
	plugins := watchPlugins(t)
	tr := newTrace(t, 64)
	var hearing []string
	for _, comm := range auditDeaf {
		hearing = append(hearing, `comm != "`+comm+`"`)
	}
	tr.set(t, "events/raw_syscalls/sys_enter/filter", strings.Join(hearing, " && "))
	tr.set(t, "events/raw_syscalls/sys_exit/filter", "ret == 0 && id == "+strconv.Itoa(unix.SYS_UNSHARE))
	tr.enable(t, strings.Fields(auditEvents)...)
	return &audit{tr, plugins}
}

// tree stops the recording and makes the tree of it.
func (r *audit) tree(t *testing.T) *auditTree {
	t.Helper()
	r.set(t, "tracing_on", "0")
	tree := &auditTree{
		t: t, threads: map[int]*auditThread{}, flags: map[int]int64{}, environments: r.plugins.stop(t),
		offset: time.Duration(wall(0).UnixNano()),
	}
	for _, l := range r.read(t) {
		tree.lines++
		tree.take(l)
	}
	return tree
}

var (
	auditNewtask = regexp.MustCompile(`^pid=(\d+) .*clone_flags=([0-9a-f]+) `)
	auditFork    = regexp.MustCompile(`child_pid=(\d+)$`)
	auditExec    = regexp.MustCompile(`^filename=(.*) pid=(\d+) old_pid=(\d+)$`)
	auditCall    = regexp.MustCompile(`^NR \d+ \(([0-9a-f]+),`)
)

func (a *auditTree) words(pattern *regexp.Regexp, l traced) []string {
	a.t.Helper()
	m := pattern.FindStringSubmatch(l.text)
	if m == nil {
		a.t.Fatalf("cannot read the trace's %s: %q", l.event, l.text)
	}
	return m
}

func (a *auditTree) take(l traced) {
	a.t.Helper()
	switch l.event {
	case "task_newtask":
		m := a.words(auditNewtask, l)
		a.flags[decimal(a.t, m[1])] = hexadecimal(a.t, m[2])
	case "sched_process_fork":
		a.fork(l, decimal(a.t, a.words(auditFork, l)[1]))
	case "sched_process_exec":
		m := a.words(auditExec, l)
		a.exec(l, m[1], decimal(a.t, m[3]))
	case "sched_process_exit":
		delete(a.threads, l.tid)
	case "sys_enter":
		a.call(l)
	case "sys_exit": // of an unshare
		if th := a.threads[l.tid]; th != nil && th.calling&unix.CLONE_NEWNS != 0 {
			th.newMount = true
		}
	}
}

func hexadecimal(t *testing.T, digits string) int64 {
	t.Helper()
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

// fork: whoever forks is the one that makes the child belong, not its parent
// (CLONE_PARENT).
func (a *auditTree) fork(l traced, child int) {
	a.t.Helper()
	flags, told := a.flags[child]
	if !told {
		return // made before the recording began
	}
	delete(a.flags, child)
	delete(a.threads, child)
	forker := a.threads[l.tid]
	if forker == nil {
		return
	}
	one := *forker
	one.newMount = one.newMount || flags&unix.CLONE_NEWNS != 0
	a.threads[child] = &one
	if flags&unix.CLONE_THREAD == 0 {
		one.side().join(child, l.time)
	}
}

func (s *auditSide) join(pid int, at time.Duration) {
	s.processes = append(s.processes, at)
	if s.pids == nil {
		s.pids = map[int]bool{}
	}
	s.pids[pid] = true
}

func (a *auditTree) exec(l traced, file string, old int) {
	th := a.threads[old]
	if th != nil && old != l.tid { // a thread that takes over its process' id
		delete(a.threads, old)
		a.threads[l.tid] = th
	}
	opens := isAuditRuntime(file) || th == nil && strings.Contains(file, "/cni/bin/")
	switch {
	case th != nil && (th.entered || th.newMount || !opens):
		if !th.entered && th.newMount {
			th.entered = true
			th.run.entered.join(l.tid, l.time)
		}
		th.side().execs = append(th.side().execs, l.time)
	case opens:
		run := &auditRun{file: path.Base(file), opened: l.time, began: l.tid}
		if th != nil {
			run.parent = th.run
		}
		run.own.join(l.tid, l.time)
		run.own.execs = append(run.own.execs, l.time)
		a.threads[l.tid] = &auditThread{run: run}
		a.runs = append(a.runs, run)
	}
}

func isAuditRuntime(file string) bool {
	switch path.Base(file) {
	case "containerd-shim-runc-v2", "runc":
		return true
	}
	return false
}

func (a *auditTree) call(l traced) {
	a.t.Helper()
	th := a.threads[l.tid]
	if th == nil {
		return
	}
	th.side().calls = append(th.side().calls, l.time)
	th.calling = 0
	if l.nr == unix.SYS_UNSHARE {
		th.calling = hexadecimal(a.t, a.words(auditCall, l)[1])
	}
}

// root is the run that all of a pod's containers come of: its shim, as the
// runtime started it.
func (r *auditRun) root() *auditRun {
	for r.parent != nil {
		r = r.parent
	}
	return r
}
