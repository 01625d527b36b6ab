// SPDX-License-Identifier: Apache-2.0

package counterfactual

// deep is how many activations down from an outside one still count as caused by
// it. A chain without an end (two threads that wake each other) is nobody's stall.
const deep = 8

// fifo is a queue that reuses its room.
type fifo struct {
	items []int32
	head  int
}

func (q *fifo) len() int { return len(q.items) - q.head }

func (q *fifo) push(v int32) { q.items = append(q.items, v) }

func (q *fifo) pushFront(v int32) {
	if q.head > 0 {
		q.head--
		q.items[q.head] = v
		return
	}
	q.items = append(q.items, 0)
	copy(q.items[1:], q.items)
	q.items[0] = v
}

func (q *fifo) pop() int32 {
	v := q.items[q.head]
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return v
}

// origin is the outside activation that a stall is charged to.
type origin struct {
	stall int32 // index in machine.stalls, -1: nobody's
	depth int32
	held  int64 // for how long the activations above were held
}

// thread is a thread that works off jobs one after the other.
type thread struct {
	queue   []int32
	head    int
	busy    bool
	job     int32
	left    int64 // CPU time that its job still needs
	child   int32 // the next of plan.inner
	cpu     int32 // where it ran last
	readyAt int64 // since when it waits on its CPU
	ran     int64 // since when it runs without a pause
	from    origin
	held    int64 // in this activation
	woken   int64
	first   int32 // job of this activation
}

// processor is one CPU.
type processor struct {
	running int32 // thread, -1 for none
	since   int64 // up to when its running thread is charged
	speed   float64
	next    int64 // its next event
	ending  bool  // its running thread is about to block
	blocked int   // levels that are throttled here
	block   int64 // since when
	queue   fifo  // threads that wait here
}

// machine replays a plan. All times are nanoseconds since the recording began.
type machine struct {
	plan    *plan
	levels  []*level
	cpus    []processor
	threads []thread
	timers  timers
	arrival int   // the next of plan.arrivals
	tick    int64 // between two scheduler ticks
	phase   int64 // the first tick
	turn    int64 // for how long a thread runs while another waits
	now     int64
	waiting int // threads in the CPUs' queues
	used    int64
	stalls  []int64
	served  []int64 // when the activations of stalls came
	freed   []int
	crowded bool
	// hear is told of each thread that is about to block, done of each job, choose picks the thread of
	// a job; nil but in tests.
	hear   func(t int32)
	done   func(t, j int32)
	choose func(j int32) int32
}

func newMachine(p *plan, levels []*level, cpus int, tick, phase int64) *machine {
	m := &machine{plan: p, levels: levels, tick: tick, phase: phase, turn: turnOf(cpus)}
	m.stalls, m.served = make([]int64, 0, p.serving), make([]int64, 0, p.serving)
	m.cpus = make([]processor, cpus)
	for i := range m.cpus {
		m.cpus[i] = processor{running: -1, next: never}
	}
	m.threads = make([]thread, p.threads)
	for i := range m.threads {
		m.threads[i].cpu = int32(i % cpus)
	}
	return m
}

// stepsMost bounds the events of a replay: so many for each job, and some. A loop
// whose work takes no time would go round without an end.
const stepsMost, stepsMore = 200, 1_000_000

// run replays until end, and returns when it ended.
func (m *machine) run(end int64) int64 {
	for left := stepsMost*len(m.plan.jobs) + stepsMore; ; left-- {
		t, cpu := m.nextEvent()
		if t >= end {
			break
		}
		if left == 0 {
			end = m.now
			break
		}
		m.now = t
		m.timersDue()
		if cpu >= 0 && m.cpus[cpu].next <= t {
			m.event(cpu)
		}
	}
	m.now = end
	for c := range m.cpus {
		if m.cpus[c].running >= 0 {
			m.charge(c)
		}
	}
	return end
}

// nextEvent is the earliest time at which something happens, and the CPU that it
// happens on, -1 if it is a timer.
func (m *machine) nextEvent() (t int64, cpu int) {
	t, cpu = min(m.timers.next(), m.plan.due[m.arrival]), -1
	for _, l := range m.levels {
		if l.active {
			t = min(t, l.next)
		}
		t = min(t, l.slackAt)
	}
	for c := range m.cpus {
		if m.cpus[c].next < t {
			t, cpu = m.cpus[c].next, c
		}
	}
	return t, cpu
}

// timersDue runs what is due: refills first, for they come with an interrupt.
func (m *machine) timersDue() {
	for i := len(m.levels) - 1; i >= 0; i-- {
		l := m.levels[i]
		if l.slackAt <= m.now {
			m.unblock(l.slack(m.freed[:0]))
		}
		if l.active && l.next <= m.now {
			m.unblock(l.refill(m.freed[:0]))
		}
	}
	for m.timers.next() <= m.now {
		j := m.timers.pop()
		m.release(j, origin{stall: -1})
	}
	for m.plan.due[m.arrival] <= m.now {
		m.arrival++
		m.release(m.plan.arrivals[m.arrival-1], origin{stall: -1})
	}
}

// release hands a job to its thread and wakes the thread if it sleeps. What comes
// to a busy thread is part of the activation that goes on, as the kernel sees it.
func (m *machine) release(j int32, from origin) {
	t := m.plan.jobs[j].thread
	if m.choose != nil {
		t = m.choose(j)
	}
	th := &m.threads[t]
	if th.busy {
		if m.plan.jobs[j].lapses {
			return
		}
		th.queue = append(th.queue, j)
		return
	}
	th.busy, th.held, th.woken, th.first = true, 0, m.now, j
	th.from = from
	if m.plan.jobs[j].serves {
		m.stalls, m.served = append(m.stalls, 0), append(m.served, m.now)
		th.from = origin{stall: int32(len(m.stalls) - 1)}
	}
	m.begin(th, j)
	m.place(t)
}

// begin makes a job its thread's.
func (m *machine) begin(th *thread, j int32) {
	th.job, th.left, th.child = j, m.plan.jobs[j].cpu, m.plan.innerAt[j]
}

// place puts a thread that is ready on a CPU: the one it ran on if that is free,
// else another free one, else it waits where it was (select_task_rq_fair). A
// throttled CPU counts as free: the kernel sees it idle.
func (m *machine) place(t int32) {
	th := &m.threads[t]
	n := len(m.cpus)
	if m.crowded {
		n = 1
	}
	for i := range n {
		c := (int(th.cpu) + i) % len(m.cpus)
		p := &m.cpus[c]
		if p.running < 0 && p.queue.len() == 0 {
			m.wait(c, t)
			m.dispatch(c)
			return
		}
	}
	c := int(th.cpu)
	if m.preempt(c, t) {
		return
	}
	m.wait(c, t)
	m.schedule(c)
}

// wait queues a thread on a CPU.
func (m *machine) wait(c int, t int32) {
	th := &m.threads[t]
	th.cpu, th.readyAt = int32(c), m.now
	m.cpus[c].queue.push(t)
	m.waiting++
}
