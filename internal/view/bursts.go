// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const glyphHeld = "▒"

// bursts tells what the container's threads did while they were heard.
func bursts(p *page, w *v1alpha1.KernelWhisper) {
	b := w.Spec.Bursts
	if b == nil {
		p.blank()
		note(p, noBursts(w)+", so there are no stalls to tell of and no prediction.")
		return
	}
	heading := fmt.Sprintf("ITS THREADS, HEARD FOR %s UNTIL %s UTC", span(b.WindowMilliseconds*1000), clock(b.Time.Time))
	if elsewhere := recordedElsewhere(&w.Spec); elsewhere != "" {
		heading += ", " + elsewhere
	}
	p.heading(heading)
	parts := []struct {
		name, glyph string
		us          int64
		tone        tone
	}{
		{"on a CPU", glyphCPU, b.CPUMicroseconds, onCPU},
		{"held by quota", glyphHeld, b.ParkedMicroseconds, bad},
		{"waited for CPU", glyphWait, b.QueuedMicroseconds, inWait},
	}
	whole := b.CPUMicroseconds + b.ParkedMicroseconds + b.QueuedMicroseconds
	for _, part := range parts {
		if part.us == 0 && part.glyph == glyphHeld && !limited(&w.Spec.KernelTruth) {
			continue
		}
		shareRow(p, part.name, part.glyph, part.us, whole, part.tone)
	}
	p.fact("activations", activationsOf(b), plain)
	if b.PeakCPUMicroseconds > 0 {
		p.fact("peak", fmt.Sprintf("%s of CPU wanted within one period", span(b.PeakCPUMicroseconds)), plain)
	}
	p.fact("threads", threadsOf(w), plain)
	if b.NeverSleptPercent != "0.0" {
		p.fact("never slept", b.NeverSleptPercent+"% of the CPU time is of threads that waited for nobody all the while", plain)
	}
	if n := w.Spec.KernelTruth.ContextSwitches; n != nil {
		p.fact("switches", Number(*n)+" context switches", plain)
	}
	if b.StolenMicroseconds > 0 {
		p.fact("stolen", span(b.StolenMicroseconds)+" of the node's CPU time by the hypervisor", inWait)
	}
	if b.Lost > 0 {
		p.fact("not recorded", plural(b.Lost, "activation"), inWait)
	}
}

// noBursts says that there are none, and why if that is known.
func noBursts(w *v1alpha1.KernelWhisper) string {
	if w.Spec.BurstsMissing == v1alpha1.BurstsMissingCPUBudget {
		return "Its bursts were not recorded, because the observer had spent its CPU budget (--cpu-budget)"
	}
	return "Its bursts were not recorded"
}

// shareRow is a name, a time, its share of a whole, and a bar of that share.
func shareRow(p *page, name, glyph string, us, whole int64, t tone) {
	const timeEnd, shareEnd, bar = 24, 32, 34
	width := p.picture()
	c := newCanvas(width)
	c.put(0, name, dim)
	c.putRight(timeEnd, span(us), plain)
	c.putRight(shareEnd, percent(us, whole), plain)
	if room := int64(width - bar); whole > 0 && room > 0 {
		n := (us*room + whole/2) / whole
		if us > 0 {
			n = max(n, 1)
		}
		c.put(bar, strings.Repeat(glyph, int(n)), t)
	}
	p.draw(c)
}

func activationsOf(b *v1alpha1.Bursts) string {
	out := fmt.Sprintf("%s, %s of them woken from outside", Number(b.Activations), Number(b.OutsideActivations))
	if b.OutsideActivations == 0 || b.ParkedMicroseconds == 0 {
		return out
	}
	return out + fmt.Sprintf("; a quota held %s (%s) of these for a millisecond or longer",
		Number(b.StalledActivations), percent(b.StalledActivations, b.OutsideActivations))
}

func threadsOf(w *v1alpha1.KernelWhisper) string {
	b := w.Spec.Bursts
	out := fmt.Sprintf("%s on %s", plural(b.Threads, "thread"), plural(b.CPUs, "CPU"))
	if n := w.Spec.KernelTruth.RunnableThreadsMax; n != nil {
		out += fmt.Sprintf(", at most %s ready to run at once", Number(*n))
	}
	if b.Language != "" {
		out += "; it runs on " + orElse(map[string]string{"Go": "Go's runtime", "JVM": "a JVM"}[b.Language], b.Language)
	}
	if b.RequestMillicores > 0 {
		out += "; its weight is that of a request of " + Millicores(b.RequestMillicores)
	}
	return out
}

// preemptors tells who ran while the container waited for a CPU.
func preemptors(p *page, b *v1alpha1.Bursts) {
	if b == nil || len(b.Preemptors) == 0 {
		return
	}
	p.blank()
	t := table{columns: []column{{title: "WHO HAD THE CPU MEANWHILE", rank: 1, least: 16}, {title: "FOR", right: true}, {title: "OF ITS WAIT", right: true}}}
	for _, x := range b.Preemptors {
		t.add(text{s: preemptorOf(x)}, text{s: span(x.WaitMicroseconds)}, text{s: percent(x.WaitMicroseconds, b.QueuedMicroseconds)})
	}
	t.write(p)
}

func preemptorOf(x v1alpha1.Preemptor) string {
	switch {
	case x.Container != "":
		return "container " + x.Container + " of its pod"
	case x.Pod != "":
		return "pod " + x.Namespace + "/" + x.Pod
	case x.Cgroup == "/":
		return "the node's own (cgroup /)"
	case x.Cgroup != "":
		return "cgroup " + x.Cgroup
	}
	return "not known"
}
