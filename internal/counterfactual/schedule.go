// SPDX-License-Identifier: Apache-2.0

package counterfactual

import "math/bits"

// turnOf is for how long (ns) a thread runs while another waits for its CPU
// (sysctl_sched_base_slice and get_update_sysctl_factor: it grows with the CPUs, up to
// eight of them). Whether it is over is seen at a tick and at a wake.
func turnOf(cpus int) int64 {
	const base = 700_000
	return base * int64(bits.Len(uint(min(max(cpus, 1), 8))))
}

// dispatch lets a free CPU run the next thread that waits for it, or one that
// waits for another CPU (sched_balance_newidle).
func (m *machine) dispatch(c int) {
	p := &m.cpus[c]
	p.next = never
	if p.running >= 0 || p.blocked > 0 {
		return
	}
	if p.queue.len() == 0 && !m.steal(c) {
		return
	}
	// The first thread of a CPU needs something to run with (check_enqueue_throttle).
	if !m.settle(c) {
		return
	}
	t := p.queue.pop()
	m.waiting--
	th := &m.threads[t]
	p.running, p.since = t, m.now
	p.speed = float64(m.plan.jobs[th.job].speed)
	th.ran = m.now
	m.schedule(c)
}

// steal takes a thread that waits for another CPU, unless that one is throttled.
func (m *machine) steal(c int) bool {
	if m.waiting == 0 {
		return false
	}
	for i := range m.cpus {
		p := &m.cpus[i]
		if i != c && p.blocked == 0 && p.running >= 0 && p.queue.len() > 0 {
			t := p.queue.pop()
			m.threads[t].cpu = int32(c)
			m.cpus[c].queue.push(t)
			return true
		}
	}
	return false
}

// settle looks at what each level has for a CPU, and throttles it where one has
// nothing left. It is true if the CPU may run.
func (m *machine) settle(c int) bool {
	throttled := 0
	for _, l := range m.levels {
		if !l.throttled[c] && !l.settle(c, m.now) {
			throttled++
		}
	}
	if throttled > 0 {
		m.block(c, throttled)
	}
	return m.cpus[c].blocked == 0
}

// block stops a CPU: its thread waits at the head of its queue. The levels that
// were not throttled see their CPU idle.
func (m *machine) block(c, levels int) {
	p := &m.cpus[c]
	if p.blocked == 0 {
		p.block = m.now
	}
	p.blocked += levels
	p.next = never
	if p.running >= 0 {
		m.threads[p.running].readyAt = m.now
		p.queue.pushFront(p.running)
		m.waiting++
		p.running = -1
	}
	m.giveBack(c)
}

// giveBack returns what a CPU that goes idle holds of the levels' pools.
func (m *machine) giveBack(c int) {
	for _, l := range m.levels {
		if !l.throttled[c] {
			l.giveBack(c, m.now)
		}
	}
}

// unblock lets throttled CPUs go on.
func (m *machine) unblock(freed []int) {
	m.freed = freed
	for _, c := range freed {
		p := &m.cpus[c]
		p.blocked--
		if p.blocked > 0 {
			continue
		}
		for i := p.queue.head; i < len(p.queue.items); i++ {
			th := &m.threads[p.queue.items[i]]
			th.held += m.now - max(p.block, th.readyAt)
			th.readyAt = m.now
		}
	}
	for _, c := range freed {
		if m.cpus[c].blocked == 0 {
			m.dispatch(c)
		}
	}
	m.balance()
}

// balance lets idle CPUs run what waits for busy ones.
func (m *machine) balance() {
	for c := range m.cpus {
		if m.waiting > 0 && m.cpus[c].running < 0 && m.cpus[c].blocked == 0 {
			m.dispatch(c)
		}
	}
}

// preempt lets a thread that was woken run in place of one whose turn is over
// (wakeup_preempt_fair).
func (m *machine) preempt(c int, t int32) bool {
	p := &m.cpus[c]
	if p.running < 0 || p.ending || m.now-m.threads[p.running].ran < m.turn {
		return false
	}
	m.charge(c)
	before := p.running
	p.running = -1
	m.wait(c, before)
	th := &m.threads[t]
	th.cpu, th.readyAt = int32(c), m.now
	p.queue.pushFront(t)
	m.waiting++
	m.dispatch(c)
	return true
}

// charge takes the time since the last charge from the thread and the levels.
func (m *machine) charge(c int) {
	p := &m.cpus[c]
	d := m.now - p.since
	p.since = m.now
	if p.speed < 1 {
		d = int64(float64(d)*p.speed + 0.5)
	}
	m.threads[p.running].left -= d
	m.used += d
	for _, l := range m.levels {
		l.local[c] -= d
	}
}

// wall is how long a CPU takes for so much CPU time.
func (p *processor) wall(cpu int64) int64 {
	if p.speed >= 1 {
		return max(cpu, 0)
	}
	return int64(float64(max(cpu, 0))/p.speed) + 1
}

// tickAt is the first tick at or after a time.
func (m *machine) tickAt(t int64) int64 {
	n := (t - m.phase + m.tick - 1) / m.tick
	return m.phase + n*m.tick
}

// schedule finds the next event of a CPU that runs.
func (m *machine) schedule(c int) {
	p := &m.cpus[c]
	if p.running < 0 {
		return
	}
	th := &m.threads[p.running]
	t := p.since + p.wall(th.left)
	if th.child < m.plan.innerAt[th.job+1] {
		done := m.plan.jobs[th.job].cpu - th.left
		t = min(t, p.since+p.wall(m.plan.jobs[m.plan.inner[th.child]].when-done))
	}
	for _, l := range m.levels {
		// What it has is looked at when a tick charges it.
		t = min(t, m.tickAt(max(p.since+p.wall(l.local[c]), m.now+1)))
	}
	if p.queue.len() > 0 {
		t = min(t, m.tickAt(max(th.ran+m.turn, m.now+1)))
	}
	p.next = t
}

// event is what is due on a CPU that runs: progress that wakes somebody, the end
// of a job, or a tick that finds it out of runtime or out of turn.
func (m *machine) event(c int) {
	p := &m.cpus[c]
	m.charge(c)
	t := p.running
	th := &m.threads[t]
	m.wakeChildren(th)
	if p.running != t {
		return // one that it woke runs in its place
	}
	if th.left <= 0 {
		m.finish(c)
		return
	}
	if (m.now-m.phase)%m.tick == 0 {
		if !m.settle(c) {
			return
		}
		if p.queue.len() > 0 && m.now-th.ran >= m.turn {
			p.running = -1
			m.wait(c, t)
			m.dispatch(c)
			return
		}
	}
	m.schedule(c)
}
