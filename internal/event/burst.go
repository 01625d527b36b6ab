// SPDX-License-Identifier: Apache-2.0

package event

// Waker is who made a thread ready to run.
type Waker string

// The wakers.
const (
	WakerInterrupt Waker = "Interrupt" // a device or a timer, or the kernel on its behalf
	WakerOutside   Waker = "Outside"   // a thread of another cgroup
	WakerOwn       Waker = "Own"       // a thread of the same container
	WakerBorn      Waker = "Born"      // it was made by a thread of the same container just now
	WakerNone      Waker = "None"      // it was awake when listening began, or goes on from the piece before
)

// Burst is one activation of a thread: from the moment it was ready to run
// until it blocked. All times are CLOCK_MONOTONIC in nanoseconds, all durations
// nanoseconds.
type Burst struct {
	TGID uint32 `json:"tgid"`
	TID  uint32 `json:"tid"`
	// Woken is when it was ready to run; Ended when it blocked or ended, or where
	// this piece of it ends.
	Woken uint64 `json:"woken"`
	Ended uint64 `json:"ended"`
	// CPU is the time that the scheduler charged (se.sum_exec_runtime).
	CPU uint64 `json:"cpu"`
	// Parked is the time it was ready and held by a quota. Queued is the time it
	// was ready, not held, and not running. CPU, Parked and Queued add up to about
	// Ended minus Woken; what interrupts took is missing.
	Parked uint64 `json:"parked,omitempty"`
	Queued uint64 `json:"queued,omitempty"`
	// Preemptor is the cgroup (in the cpu controller's hierarchy) whose threads ran
	// on its CPU for the greatest part of Queued, PreemptorTime that part; 0 if none.
	Preemptor     uint64 `json:"preemptor,omitempty"`
	PreemptorTime uint64 `json:"preemptorTime,omitempty"`
	// Switches is how often it left its CPU, the last time included.
	Switches uint32 `json:"switches"`
	Waker    Waker  `json:"waker"`
	// WakerTID is the thread that woke it, of Own, Born and Outside.
	WakerTID uint32 `json:"wakerTID,omitempty"`
	// WakerCgroup is that thread's, of Outside.
	WakerCgroup uint64 `json:"wakerCgroup,omitempty"`
	// Slept is the system call that it slept in before Woken, -1 if not known.
	Slept int32 `json:"slept"`
	// GoesOn: it did not block at Ended; the next piece of the same thread goes on.
	GoesOn bool `json:"goesOn,omitempty"`
}

// FromOutside is true if it was not the container of the given cgroup itself that woke it.
func (b *Burst) FromOutside(cgroup uint64) bool {
	switch b.Waker {
	case WakerInterrupt, WakerOutside:
		return true
	case WakerBorn:
		return b.WakerCgroup != 0 && b.WakerCgroup != cgroup
	}
	return false
}

// ServesFrom is the CPU time (ns) from which on a thread that came by itself did something
// for somebody, and did not just look whether there is anything to do.
const ServesFrom = 100_000

// Serves is true for a burst that by itself tells of something done for somebody outside
// of the container.
func (b *Burst) Serves(cgroup uint64) bool { return b.CPU >= ServesFrom && b.FromOutside(cgroup) }

// Recording is all that was heard of one container for a bounded time.
type Recording struct {
	Cgroup uint64 `json:"cgroup"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	// Levels are the container's bandwidth at From and To: its own first, then
	// those of its ancestors that have a quota.
	Before []Group `json:"before"`
	After  []Group `json:"after"`
	// CPUs that the container's threads may use (task_struct.nr_cpus_allowed, the
	// most of all threads).
	CPUs int `json:"cpus"`
	// Bursts by Ended.
	Bursts []Burst `json:"bursts"`
	// Switches of the container's threads; RunnableMax is the most of them that were
	// ready to run at once; Threads how many ran at all.
	Switches    uint64 `json:"switches"`
	RunnableMax int    `json:"runnableMax"`
	Threads     int    `json:"threads"`
	// Lost bursts: they did not fit the ring or the thread table.
	Lost uint64 `json:"lost,omitempty"`
	// Language is what the most threads' program is: "Go" or "JVM"; empty: not known.
	Language string `json:"language,omitempty"`
	// Stolen is the time (ns) that the hypervisor took from the node's CPUs between
	// From and To, all CPUs together (steal of /proc/stat).
	Stolen uint64 `json:"stolen,omitempty"`
}
