// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// wakes counts a thread's bursts by waker, and by the cgroup of those from outside.
type wakes struct {
	by       map[event.Waker]int
	there    map[event.Waker]int // those from the system call that the thread waits in
	from     map[uint64]int
	tids     map[uint32]int
	slept    map[int32]int
	unlikely int // that say of their waker what cannot be
}

func wakesOf(r event.Recording, d deed) wakes {
	w := wakes{by: map[event.Waker]int{}, there: map[event.Waker]int{}, from: map[uint64]int{}, tids: map[uint32]int{}, slept: map[int32]int{}}
	for _, b := range r.Bursts {
		if b.TID != d.TID {
			continue
		}
		w.by[b.Waker]++
		if b.Slept == d.Nr {
			w.there[b.Waker]++
		}
		w.slept[b.Slept]++
		w.tids[b.WakerTID]++
		outside := b.Waker == event.WakerOutside
		if outside {
			w.from[b.WakerCgroup]++
		}
		named := outside || b.Waker == event.WakerOwn || b.Waker == event.WakerBorn
		if outside != (b.WakerCgroup != 0) || named != (b.WakerTID != 0) {
			w.unlikely++
		}
	}
	return w
}

// mostly says what is wrong unless nearly all wakes from the system call that the
// thread waits in are of one kind, and about as many as there were rounds: on an
// emulated CPU some come together. Go lets the thread wait elsewhere as well.
func (w wakes) mostly(kind event.Waker, d deed) string {
	total := 0
	for _, n := range w.there {
		total += n
	}
	if got := w.there[kind]; got*20 < total*19 || got*4 < d.Times*3 || d.Times < 10 {
		return fmt.Sprintf("%d of %d wakes from system call %d in %d rounds are %s: %v, all: %v", got, total, d.Nr, d.Times, kind, w.there, w.by)
	}
	if w.unlikely > 0 {
		return fmt.Sprintf("%d bursts have a waker without a name, or a name without one", w.unlikely)
	}
	return ""
}

// A timer wakes a thread while another thread of the same process runs on its CPU:
// that thread has not done it.
func TestTimersAreInterrupts(t *testing.T) {
	l := ears(t)
	for _, way := range []string{"nanosleep", "timerfd"} {
		t.Run(way, func(t *testing.T) {
			dir, _ := makeCgroup(t, "timer-"+way)
			insistent(t, func() (uint64, string) {
				r, deeds := record(t, l, way, dir, 2*time.Second, "pinned")
				w := wakesOf(r, deeds[0])
				t.Logf("%d rounds beside a thread that runs: %v, slept in %v", deeds[0].Times, w.by, w.slept)
				return r.Lost, w.mostly(event.WakerInterrupt, deeds[0])
			})
		})
	}
}

// What one thread of a container does for another one is its own.
func TestWakesFromWithinAreOwn(t *testing.T) {
	l := ears(t)
	for _, way := range []string{"futex", "pipe", "loopback"} {
		for _, where := range []string{"free", "pinned"} {
			t.Run(way+"/"+where, func(t *testing.T) {
				dir, _ := makeCgroup(t, "own-"+way)
				insistent(t, func() (uint64, string) {
					r, deeds := record(t, l, way, dir, time.Second, where)
					w := wakesOf(r, deeds[0])
					t.Logf("%d rounds: %v by %v, slept in %v", deeds[0].Times, w.by, w.tids, w.slept)
					if wrong := w.mostly(event.WakerOwn, deeds[0]); wrong != "" {
						return r.Lost, wrong
					}
					if n := w.tids[deeds[1].TID]; n*4 < deeds[0].Times*3 {
						return r.Lost, fmt.Sprintf("%d of %d are by thread %d: %v", n, deeds[0].Times, deeds[1].TID, w.tids)
					}
					sender := wakesOf(r, deeds[1])
					return r.Lost, sender.mostly(event.WakerInterrupt, deeds[1])
				})
			})
		}
	}
}

// knock lets the test's own process, which is in another cgroup, wake the act.
func knock(t *testing.T, write func([]byte) error) {
	t.Helper()
	for range 100 {
		if err := sleepOnTimer(5*time.Millisecond, nil); err != nil {
			t.Fatal(err)
		}
		if err := write([]byte{'x'}); err != nil {
			t.Fatal(err)
		}
	}
	if err := write([]byte{'e'}); err != nil {
		t.Fatal(err)
	}
}

// A client outside of the container, through a pipe and through a connection on this
// machine, whose packets the client's own system call carries into the server.
func TestClientsAreOutside(t *testing.T) {
	l := ears(t)
	for _, way := range []string{"stdin", "server"} {
		t.Run(way, func(t *testing.T) {
			dir, _ := makeCgroup(t, "client-"+way)
			client, _ := makeCgroup(t, "client")
			moveHere(t, client)
			insistent(t, func() (uint64, string) {
				var conn net.Conn
				s := act(t, way, dir, time.Second, "free", func(port string) {
					var err error
					if conn, err = net.Dial("tcp4", "127.0.0.1:"+port); err != nil {
						t.Fatal(err)
					}
				})
				write := func(b []byte) error { _, err := s.in.Write(b); return err }
				if conn != nil {
					defer func() { _ = conn.Close() }()
					write = func(b []byte) error { _, err := conn.Write(b); return err }
				}
				eavesdrop(t, l, dir)
				s.begin(t)
				knock(t, write)
				d := s.said(t)[0]
				r := stopListening(t, l, dir)
				_ = s.in.Close()
				w := wakesOf(r, d)
				t.Logf("%d rounds: %v from %v, slept in %v", d.Times, w.by, w.from, w.slept)
				if wrong := w.mostly(event.WakerOutside, d); wrong != "" {
					return r.Lost, wrong
				}
				if n := w.from[inode(t, client)]; n*10 < w.by[event.WakerOutside]*9 {
					return r.Lost, fmt.Sprintf("%d of %d are from cgroup %d: %v", n, w.by[event.WakerOutside], inode(t, client), w.from)
				}
				return r.Lost, ""
			})
		})
	}
}

// moveHere moves the test's own process into a cgroup until the test ends. The act
// is started from there, and joins its own.
func moveHere(t *testing.T, dir string) {
	t.Helper()
	h := hierarchy(t)
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	home := h.Root
	for _, line := range strings.Split(string(raw), "\n") {
		_, rest, _ := strings.Cut(line, ":")
		controllers, path, _ := strings.Cut(rest, ":")
		if h.V2 && controllers == "" || slices.Contains(strings.Split(controllers, ","), "cpu") {
			home = filepath.Join(h.Root, path)
		}
	}
	self := fmt.Sprint(os.Getpid())
	write(t, filepath.Join(dir, "cgroup.procs"), self)
	t.Cleanup(func() { write(t, filepath.Join(home, "cgroup.procs"), self) })
}

// Threads that a container makes are born of it.
func TestThreadsAreBorn(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "births")
	insistent(t, func() (uint64, string) {
		r, deeds := record(t, l, "births", dir, time.Second, "free")
		own := map[uint32]bool{}
		for _, b := range r.Bursts {
			own[b.TID] = true
		}
		born := 0
		for _, b := range r.Bursts {
			if b.Waker == event.WakerBorn && own[b.WakerTID] {
				born++
			}
		}
		t.Logf("%d threads ended, %d were heard to be born, of %d", deeds[0].Times, born, r.Threads)
		if deeds[0].Times < 10 || born*4 < deeds[0].Times*3 {
			return r.Lost, fmt.Sprintf("%d threads ended, %d were born", deeds[0].Times, born)
		}
		return r.Lost, whole(r)
	})
}

// A process that somebody else makes in the container is from outside: so begins a
// probe of the kubelet. Where cgroup v1 is, it joins when it runs.
func TestAProcessMadeByAnOutsider(t *testing.T) {
	l := ears(t)
	dir, _ := makeCgroup(t, "probe")
	if !intoCgroup(dir) {
		t.Log("cgroup v1: no process is made in a cgroup by one outside of it")
		return
	}
	insistent(t, func() (uint64, string) {
		eavesdrop(t, l, dir)
		if err := born([]string{"mark", dir}); err != nil {
			t.Fatal(err)
		}
		r := stopListening(t, l, dir)
		for _, b := range r.Bursts {
			if b.TID == b.TGID && b.Waker == event.WakerOutside && b.WakerTID != 0 && b.Slept == -1 {
				return r.Lost, ""
			}
		}
		return r.Lost, fmt.Sprintf("no burst from outside among %+v", r.Bursts)
	})
}
