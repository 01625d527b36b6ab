// SPDX-License-Identifier: Apache-2.0

package birth

import (
	"cmp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// wait is what a thread waits for.
type wait uint8

const (
	waitOther wait = iota
	waitDisk
	waitLock
	waitNetwork
	waitMessage
	waitProcess
	waitTimer
)

// waitBySyscall is what a thread that sleeps in a system call waits for.
var waitBySyscall = map[string]wait{
	"futex": waitLock, "futex_wait": waitLock, "futex_waitv": waitLock, "flock": waitLock, "fcntl": waitLock, "semop": waitLock, "semtimedop": waitLock,
	"connect": waitNetwork, "accept": waitNetwork, "accept4": waitNetwork, "recvfrom": waitNetwork, "recvmsg": waitNetwork,
	"recvmmsg": waitNetwork, "sendto": waitNetwork, "sendmsg": waitNetwork, "sendmmsg": waitNetwork,
	"read": waitMessage, "readv": waitMessage, "write": waitMessage, "writev": waitMessage, "poll": waitMessage, "ppoll": waitMessage,
	"select": waitMessage, "pselect6": waitMessage, "epoll_wait": waitMessage, "epoll_pwait": waitMessage, "epoll_pwait2": waitMessage,
	"openat": waitMessage, "open": waitMessage, // of a FIFO: of a file it is I/O, or uninterruptible
	"wait4": waitProcess, "waitid": waitProcess, "vfork": waitProcess, "clone": waitProcess, "clone3": waitProcess,
	"nanosleep": waitTimer, "clock_nanosleep": waitTimer,
}

// waitNames knows system calls by their numbers.
type waitNames struct{ syscall func(nr int) string }

func (n *waitNames) of(d departure) wait {
	switch {
	case d.why == reasonIOWait:
		return waitDisk
	case d.syscall >= 0:
		if w, ok := waitBySyscall[n.syscall(int(d.syscall))]; ok && (d.why != reasonUninterruptible || w == waitProcess) {
			return w
		}
	}
	if d.why == reasonUninterruptible {
		return waitLock
	}
	return waitOther
}

// edge is a change of what a thread does.
type edge struct {
	at    uint64
	state state
	by    int // +1: it begins, -1: it ends
	// woken is what had been waited for, where a thread stops waiting.
	woken *wait
}

// spent divides the time from one moment to another by what the threads did
// together: on a CPU if any was; runnable if none was and any could have been;
// and otherwise waiting, for what the next one to be woken had waited for.
func spent(all []stretch, from, to uint64) (cpu uint64, waits v1alpha1.PhaseWaits) {
	edges := edgesOf(all, from, to)
	var running, ready int
	var nanos [waitTimer + 1]uint64
	var ran, stood uint64
	at := from
	var idle uint64 // how long all have been waiting
	settle := func(now uint64) {
		switch took := now - at; {
		case running > 0:
			ran += took
		case ready > 0:
			stood += took
		default:
			idle += took
		}
		at = now
	}
	for _, e := range edges {
		settle(e.at)
		if e.woken != nil && running == 0 && ready == 0 {
			nanos[*e.woken] += idle
			idle = 0
		}
		switch e.state {
		case onCPU:
			running += e.by
		case runnable:
			ready += e.by
		case blocked:
		}
		if running > 0 || ready > 0 {
			nanos[waitOther] += idle // a thread that was made, not woken
			idle = 0
		}
	}
	settle(to)
	nanos[lastWait(all, to)] += idle
	return ran, inMicroseconds(stood, nanos)
}

// lastWait is what is waited for at the end, when nobody is woken any more.
func lastWait(all []stretch, to uint64) wait {
	what, latest := waitOther, uint64(0)
	for _, s := range all {
		if s.state == blocked && s.from < to && s.to >= to && s.from >= latest {
			what, latest = s.what, s.from
		}
	}
	return what
}

func edgesOf(all []stretch, from, to uint64) []edge {
	var edges []edge
	for _, s := range all {
		began, ended := max(s.from, from), min(s.to, to)
		if began >= ended {
			continue
		}
		edges = append(edges, edge{at: began, state: s.state, by: 1})
		end := edge{at: ended, state: s.state, by: -1}
		if s.state == blocked && s.to < to { // at the end nobody is woken: see lastWait
			end.woken = &s.what
		}
		edges = append(edges, end)
	}
	// Of equal times first those that are woken, then what begins: a thread goes
	// from one state into the next without a gap.
	slices.SortStableFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(rank(a), rank(b)))
	})
	return edges
}

func rank(e edge) int {
	switch {
	case e.woken != nil:
		return 0
	case e.by > 0:
		return 1
	}
	return 2
}

func inMicroseconds(stood uint64, nanos [waitTimer + 1]uint64) v1alpha1.PhaseWaits {
	us := func(n uint64) int64 { return int64(n / 1000) }
	return v1alpha1.PhaseWaits{
		RunnableMicroseconds: us(stood),
		DiskMicroseconds:     us(nanos[waitDisk]),
		LockMicroseconds:     us(nanos[waitLock]),
		NetworkMicroseconds:  us(nanos[waitNetwork]),
		MessageMicroseconds:  us(nanos[waitMessage]),
		ProcessMicroseconds:  us(nanos[waitProcess]),
		TimerMicroseconds:    us(nanos[waitTimer]),
		OtherMicroseconds:    us(nanos[waitOther]),
	}
}

func sumOfWaits(w *v1alpha1.PhaseWaits) int64 {
	return w.RunnableMicroseconds + w.DiskMicroseconds + w.LockMicroseconds + w.NetworkMicroseconds +
		w.MessageMicroseconds + w.ProcessMicroseconds + w.TimerMicroseconds + w.OtherMicroseconds
}
