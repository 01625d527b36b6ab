// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/verdict"
)

// proposal tells what to change, what that is predicted to do, and how.
func proposal(p *page, w *v1alpha1.KernelWhisper) {
	pr := w.Status.Proposal
	if pr == nil {
		return
	}
	p.heading("THE PROPOSAL")
	step := stepOf(pr.CurrentLimitMillicores, pr.LimitMillicores)
	now, late := overtaken(w)
	if late {
		step += "; the limit is " + orNone(now) + " now"
	}
	p.fact("limit", step, bold)
	p.fact("request", stepOf(pr.CurrentRequestMillicores, pr.RequestMillicores), bold)
	if pr.LimitMillicores != nil {
		p.fact("predicted", predictionOf(pr.Predicted), plain)
		p.fact("target", targetOf(pr.Target)+often(pr), plain)
	}
	if pr.BurstMicroseconds != nil {
		p.fact("or instead", fmt.Sprintf("cpu.max.burst of %d at a limit of %s (%s); Kubernetes has no field for it", *pr.BurstMicroseconds, Millicores(pr.CurrentLimitMillicores), span(*pr.BurstMicroseconds)), plain)
	}
	if pr.LowerBound {
		p.fact("more?", "a lower bound: more may be needed. Apply it, and let it be measured again", inWait)
	}
	if o := w.Status.Outcome; o != nil && pr.LimitMillicores != nil && o.LimitMillicores == *pr.LimitMillicores {
		return // it was applied
	}
	if late {
		p.fact("apply it", "not as it is: it was computed for a limit of "+orNone(pr.CurrentLimitMillicores), plain)
		return
	}
	p.fact("apply it", fmt.Sprintf("kubectl gossip apply %s -n %s", w.Name, w.Namespace), plain)
}

// overtaken is the limit that there is now, where it is neither the one that another was
// proposed for nor that other: kubectl gossip apply refuses it.
func overtaken(w *v1alpha1.KernelWhisper) (now int64, yes bool) {
	pr, c := w.Status.Proposal, w.Spec.Change
	if pr == nil || pr.LimitMillicores == nil || c == nil {
		return 0, false
	}
	return c.ToMillicores, c.ToMillicores != pr.CurrentLimitMillicores && c.ToMillicores != *pr.LimitMillicores
}

// often says what a limit was chosen by, where what is wanted could be known.
func often(pr *v1alpha1.Proposal) string {
	if pr.LowerBound {
		return ""
	}
	return ", in nine of ten windows like the recorded one"
}

// stepOf is a change of an amount of CPU; empty where none is proposed.
func stepOf(from int64, to *int64) string {
	if to == nil {
		return ""
	}
	return orNone(from) + " → " + orNone(*to)
}

// orNone is an amount of CPU of which 0 is none.
func orNone(millicores int64) string {
	if millicores == 0 {
		return "none"
	}
	return Millicores(millicores)
}

func predictionOf(x *v1alpha1.Predicted) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%s%% of periods throttled (95%% interval %s), stall p99 %s (at most %s), using %s",
		x.ThrottledPercent, intervalOf(x), span(x.StallP99Microseconds), span(x.StallP99MicrosecondsHigh), Millicores(x.UsageMillicores))
}

func targetOf(t v1alpha1.Target) string {
	return fmt.Sprintf("under %s%% of periods throttled and a stall p99 under %s", t.ThrottledPercent, span(t.StallP99Microseconds))
}

// automation tells what the operator did of itself, where the owner asked for it.
func automation(p *page, w *v1alpha1.KernelWhisper) {
	var says []string
	if r := w.Status.ResizeStep; r != nil {
		to := r.ToMillicores
		says = append(says, fmt.Sprintf("%s at %s", stepOf(r.FromMillicores, &to), r.Time.UTC().Format(moment)))
		if r.BackedOutTime != nil {
			says = append(says, "taken back at "+clock(r.BackedOutTime.Time)+" UTC")
		}
	}
	for _, c := range w.Status.Conditions {
		if c.Type == v1alpha1.ConditionResized {
			says = append(says, c.Reason+": "+c.Message)
		}
	}
	if len(says) > 0 {
		p.heading("THE AUTOMATION")
		p.fact("did", strings.Join(says, "; "), plain)
	}
}

// outcomeOfChange sets what was predicted for a change beside what was measured after it.
func outcomeOfChange(p *page, w *v1alpha1.KernelWhisper) {
	o, c := w.Status.Outcome, w.Spec.Change
	switch {
	case o != nil:
		p.heading("WHAT CAME OF THE CHANGE")
		writeOutcome(p, o)
	case c != nil:
		p.heading("A CHANGE")
		state := "measured, and not judged yet"
		if c.Measured == nil {
			state = "being measured"
		}
		to := c.ToMillicores
		p.fact("limit", fmt.Sprintf("%s at %s, %s", stepOf(c.FromMillicores, &to), c.Time.UTC().Format(moment), state), plain)
	}
}

func writeOutcome(p *page, o *v1alpha1.ChangeOutcome) {
	limit := "no limit"
	if o.LimitMillicores > 0 {
		limit = "a limit of " + Millicores(o.LimitMillicores)
	}
	p.fact("changed", fmt.Sprintf("to %s at %s", limit, o.Time.UTC().Format(moment)), plain)
	t := table{columns: []column{{title: factIndent}, {title: "PREDICTED"}, {title: "MEASURED"}}}
	throttled, stall := "-", "-"
	if x := o.Predicted; x != nil {
		throttled = fmt.Sprintf("%s%% (%s)", x.ThrottledPercent, intervalOf(x))
		stall = fmt.Sprintf("%s (at most %s)", span(x.StallP99Microseconds), span(x.StallP99MicrosecondsHigh))
	}
	measured := "not recorded"
	if s := o.MeasuredStallP99Microseconds; s != nil {
		measured = span(*s)
	}
	share := fmt.Sprintf("%s%% of %s", o.MeasuredThrottledPercent, plural(o.MeasuredPeriods, "period"))
	if o.MeasuredPeriods == 0 {
		share = "no active period"
	}
	t.add(text{"throttled", dim}, text{s: throttled}, text{share, bold})
	t.add(text{"stall p99", dim}, text{s: stall}, text{measured, bold})
	t.write(p)
	p.fact("prediction", heldOf(o), plain)
	says, how := targetMet(o)
	p.fact("target", says, how)
	p.fact("in short", o.Summary, plain)
}

// targetMet says whether a change met the target, as far as that was measured.
func targetMet(o *v1alpha1.ChangeOutcome) (string, tone) {
	switch {
	case verdict.Unmeasured(o):
		return "not known: nothing ran at that limit while it was measured", inWait
	case !o.TargetMet:
		return "not met", bad
	case o.MeasuredStallP99Microseconds == nil:
		return "met by the periods; stalls were not measured", plain
	}
	return "met", good
}

func heldOf(o *v1alpha1.ChangeOutcome) string {
	switch {
	case o.Predicted == nil:
		return "there was none for this limit: the curve does not reach it"
	case o.WithinInterval == nil:
		return "not compared"
	case *o.WithinInterval && verdict.Wide(o.Predicted):
		return "says little: the measured share lies within the interval, which is wide"
	case *o.WithinInterval:
		return "held: the measured share lies within the interval"
	}
	return "missed: the measured share lies outside the interval"
}

// ProposalOf is a whisper's proposal in a few words, such as "200m→500m"; a dash for none.
// One for another limit than the present names that: "500m@200m".
func ProposalOf(w *v1alpha1.KernelWhisper) string {
	pr := w.Status.Proposal
	if pr == nil {
		return "-"
	}
	var out []string
	if _, late := overtaken(w); late {
		out = append(out, Millicores(*pr.LimitMillicores)+"@"+orNone(pr.CurrentLimitMillicores))
	} else if s := stepOf(pr.CurrentLimitMillicores, pr.LimitMillicores); s != "" {
		out = append(out, s)
	}
	if s := stepOf(pr.CurrentRequestMillicores, pr.RequestMillicores); s != "" {
		out = append(out, "request "+s)
	}
	if len(out) == 0 {
		return "-"
	}
	if pr.LowerBound {
		out[0] += " or more"
	}
	return strings.ReplaceAll(strings.Join(out, ", "), " → ", "→")
}

// clock is a moment's time of day in UTC.
func clock(t time.Time) string { return t.UTC().Format(time.TimeOnly) }
