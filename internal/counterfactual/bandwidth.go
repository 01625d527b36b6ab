// SPDX-License-Identifier: Apache-2.0

package counterfactual

// What the kernel has as constants (kernel/sched/fair.c), in nanoseconds.
const (
	// keep is what a CPU that goes idle keeps of its share (min_cfs_rq_runtime).
	keep = 1_000_000
	// slackDelay is when returned time is handed to throttled CPUs
	// (cfs_bandwidth_slack_period); it does not happen this close to a refill
	// (min_bandwidth_expiration).
	slackDelay   = 5_000_000
	slackTooLate = 2_000_000
	never        = int64(1) << 62
)

// mark is one run of a level's period timer.
type mark struct {
	at        int64
	throttled bool
}

// level is the bandwidth of one cgroup (struct cfs_bandwidth) and of its
// run queue on each CPU (cfs_rq.runtime_remaining, cfs_rq.throttled).
type level struct {
	quota, period, burst int64
	slice                int64
	pool                 int64
	next                 int64 // when the period timer runs, if active
	slackAt              int64 // when the slack timer runs, or never
	active, idle         bool
	local                []int64
	throttled            []bool
	list                 []int // throttled CPUs, the first first
	marks                []mark
}

func newLevel(quota, period, burst, next, slice int64, cpus int) *level {
	return &level{
		quota: quota, period: period, burst: burst, slice: slice, pool: quota, next: next, slackAt: never,
		local: make([]int64, cpus), throttled: make([]bool, cpus),
	}
}

// start runs the period timer from its next due time on, if it rests
// (start_cfs_bandwidth: the phase is kept, and no period counted).
func (l *level) start(now int64) {
	if l.active {
		return
	}
	l.active = true
	if l.next <= now {
		l.next += ((now-l.next)/l.period + 1) * l.period
	}
}

// assign fills a CPU's share up to target, as far as the pool has it, and is
// true if the CPU may run (__assign_cfs_rq_runtime).
func (l *level) assign(cpu int, target, now int64) bool {
	l.start(now)
	if l.pool > 0 {
		amount := min(l.pool, target-l.local[cpu])
		l.pool -= amount
		l.local[cpu] += amount
		l.idle = false
	}
	return l.local[cpu] > 0
}

// settle is what happens when the time of a CPU is charged: it is true if the
// CPU may go on (account_cfs_rq_runtime, check_cfs_rq_runtime). A CPU that may
// not is throttled here, also if it has nothing left to run.
func (l *level) settle(cpu int, now int64) bool {
	if l.throttled[cpu] {
		return false
	}
	if l.local[cpu] > 0 || l.assign(cpu, l.slice, now) {
		return true
	}
	l.throttled[cpu] = true
	l.list = append(l.list, cpu)
	return false
}

// giveBack returns what a CPU that goes idle does not keep
// (return_cfs_rq_runtime), and may start the slack timer.
func (l *level) giveBack(cpu int, now int64) {
	slack := l.local[cpu] - keep
	if slack <= 0 {
		return
	}
	l.pool += slack
	l.local[cpu] -= slack
	if l.pool > l.slice && len(l.list) > 0 && l.slackAt == never && l.next-now >= slackDelay+slackTooLate {
		l.slackAt = now + slackDelay
	}
}

// distribute hands the pool to throttled CPUs: each gets what it owes and a
// nanosecond (distribute_cfs_runtime). It returns those that may run again.
func (l *level) distribute(freed []int) []int {
	kept := l.list[:0]
	for i, cpu := range l.list {
		if l.pool <= 0 {
			kept = append(kept, l.list[i:]...)
			break
		}
		amount := min(l.pool, 1-l.local[cpu])
		l.pool -= amount
		l.local[cpu] += amount
		if l.local[cpu] > 0 {
			l.throttled[cpu] = false
			freed = append(freed, cpu)
			continue
		}
		kept = append(kept, cpu)
	}
	l.list = kept
	return freed
}

// refill is the period timer (do_sched_cfs_period_timer). It counts the period,
// also the one at whose end the timer goes to rest.
func (l *level) refill(freed []int) []int {
	now := l.next
	held := len(l.list) > 0
	l.marks = append(l.marks, mark{at: now, throttled: held})
	l.pool = min(l.pool+l.quota, l.quota+l.burst)
	l.next += l.period
	if !held {
		if l.idle {
			l.active = false
		}
		l.idle = true
		return freed
	}
	l.idle = false
	return l.distribute(freed)
}

// slack is the slack timer (do_sched_cfs_slack_timer).
func (l *level) slack(freed []int) []int {
	now := l.slackAt
	l.slackAt = never
	if l.next-now < slackTooLate || l.pool <= l.slice {
		return freed
	}
	return l.distribute(freed)
}
