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

// edge is a change of what a thread does. There are some ten thousand in a birth.
type edge struct {
	at    uint64
	rank  rank
	state state
	// what had been waited for, where a thread is woken.
	what wait
}

// rank orders the edges of one moment: first those that are woken, then what begins. A
// thread goes from one state into the next without a gap.
type rank uint8

const (
	rankWoken rank = iota
	rankBegins
	rankEnds
)

// by is how many more are in the state from then on.
func (r rank) by() int {
	if r == rankBegins {
		return 1
	}
	return -1
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
		if e.rank == rankWoken && running == 0 && ready == 0 {
			nanos[e.what] += idle
			idle = 0
		}
		switch e.state {
		case onCPU:
			running += e.rank.by()
		case runnable:
			ready += e.rank.by()
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

// edgesOf are all changes from one moment to another, in the order of time. That of
// equal ones says the same in any order.
func edgesOf(all []stretch, from, to uint64) []edge {
	edges := make([]edge, 0, 2*len(all))
	for _, s := range all {
		began, ended := max(s.from, from), min(s.to, to)
		if began >= ended {
			continue
		}
		edges = append(edges, edge{at: began, rank: rankBegins, state: s.state})
		end := edge{at: ended, rank: rankEnds, state: s.state}
		if s.state == blocked && s.to < to { // at the end nobody is woken: see lastWait
			end.rank, end.what = rankWoken, s.what
		}
		edges = append(edges, end)
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if a.at != b.at {
			return cmp.Compare(a.at, b.at)
		}
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.what, b.what), cmp.Compare(a.state, b.state))
	})
	return edges
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
