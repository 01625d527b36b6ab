// SPDX-License-Identifier: Apache-2.0

package counterfactual

// wakeChildren releases what the progress of a thread's job releases.
func (m *machine) wakeChildren(th *thread) {
	job := th.job
	done := m.plan.jobs[job].cpu - th.left
	for th.child < m.plan.innerAt[job+1] {
		j := m.plan.inner[th.child]
		if m.plan.jobs[j].when > done && th.left > 0 {
			return
		}
		th.child++
		m.release(j, th.below())
	}
}

// below is what an activation that this one causes is charged to.
func (th *thread) below() origin {
	if th.from.stall < 0 || th.from.depth >= deep {
		return origin{stall: -1}
	}
	return origin{stall: th.from.stall, depth: th.from.depth + 1, held: th.from.held + th.held}
}

// finish ends a job. The thread goes on with the next that came meanwhile, or blocks.
func (m *machine) finish(c int) {
	p := &m.cpus[c]
	t := p.running
	th := &m.threads[t]
	if m.done != nil {
		m.done(t, th.job)
	}
	p.ending = true
	m.follow(th)
	p.ending = false
	if th.head < len(th.queue) {
		next := th.queue[th.head]
		th.head++
		if th.head == len(th.queue) {
			th.queue, th.head = th.queue[:0], 0
		}
		m.begin(th, next)
		p.speed = float64(m.plan.jobs[next].speed)
		m.schedule(c)
		return
	}
	if m.hear != nil {
		m.hear(t)
	}
	th.busy = false
	p.running = -1
	m.settle(c)
	m.dispatch(c)
	if p.running < 0 && p.blocked == 0 && p.queue.len() == 0 {
		m.giveBack(c)
	}
}

// follow does what the end of a thread's job leads to.
func (m *machine) follow(th *thread) {
	if th.from.stall >= 0 {
		s := &m.stalls[th.from.stall]
		*s = max(*s, th.from.held+th.held)
	}
	job := th.job
	for i := m.plan.outerAt[job]; i < m.plan.outerAt[job+1]; i++ {
		j := m.plan.outer[i]
		m.later(th, j, m.plan.jobs[j].when)
	}
	if m.plan.again != nil && m.plan.again[job].job >= 0 {
		m.later(th, m.plan.again[job].job, m.plan.again[job].gap)
	}
}

// later releases a job after a pause.
func (m *machine) later(th *thread, job int32, pause int64) {
	if pause > 0 {
		m.timers.push(m.now+pause, job)
		return
	}
	m.release(job, th.below())
}
