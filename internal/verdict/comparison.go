// SPDX-License-Identifier: Apache-2.0

package verdict

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// maxCompared bounds the births that one birth is compared with: the latest
// ones, so that a workload's past of months ago does not judge today's pod.
const maxCompared = 100

// A phase is named as the difference where the birth took at least
// notablySlower times the median and the phase accounts for at least
// mostOfExcess of the time above it.
const (
	notablySlower = 1.2
	mostOfExcess  = 0.5
)

var ratioPattern = regexp.MustCompile(`^[0-9]{1,7}\.[0-9]{2}$`)

// comparableBirths picks the earlier births that the certificate can be held against,
// latest first.
func comparableBirths(c *v1alpha1.PodBirthCertificate, others []v1alpha1.PodBirthCertificate) []*v1alpha1.PodBirthCertificate {
	if c.Spec.WorkloadRef == nil || c.Spec.Outcome == v1alpha1.OutcomeFailed || c.Spec.Outcome == v1alpha1.OutcomePending || !durationHeard(&c.Spec) {
		return nil
	}
	var earlier []*v1alpha1.PodBirthCertificate
	for i := range others {
		if isEarlierSibling(c, &others[i]) {
			earlier = append(earlier, &others[i])
		}
	}
	slices.SortFunc(earlier, func(a, b *v1alpha1.PodBirthCertificate) int {
		return b.Spec.Origin.Time.Compare(a.Spec.Origin.Time.Time)
	})
	return earlier[:min(len(earlier), maxCompared)]
}

// isEarlierSibling compares like with like: the same workload, the same outcome
// (Ready and Running end at different moments) and a beginning that was heard.
func isEarlierSibling(c, other *v1alpha1.PodBirthCertificate) bool {
	return other.Namespace == c.Namespace &&
		other.Name != c.Name && // a static pod may be born again
		other.Spec.WorkloadRef != nil && *other.Spec.WorkloadRef == *c.Spec.WorkloadRef &&
		other.Spec.Outcome == c.Spec.Outcome &&
		durationHeard(&other.Spec) &&
		other.Spec.Origin.Time.Time.Before(c.Spec.Origin.Time.Time)
}

// durationHeard is true where the birth was heard from its beginning; otherwise
// its duration is shorter than the truth.
func durationHeard(spec *v1alpha1.PodBirthCertificateSpec) bool {
	return spec.Complete || spec.Milestones.Scheduled != nil
}

func compare(c *v1alpha1.PodBirthCertificate, earlier []*v1alpha1.PodBirthCertificate) *v1alpha1.BirthComparison {
	if len(earlier) == 0 {
		return nil
	}
	middle := median(durations(earlier))
	times := ratio(c.Spec.KernelStats.DurationMicroseconds, middle, 2)
	if !ratioPattern.MatchString(times) {
		return nil
	}
	comparison := &v1alpha1.BirthComparison{Births: int32(len(earlier)), MedianMicroseconds: middle, Ratio: times}
	if len(earlier) >= fewestForSpread {
		lower, upper := quartiles(durations(earlier))
		comparison.LowerQuartileMicroseconds, comparison.UpperQuartileMicroseconds = &lower, &upper
	}
	comparison.Phase = differingPhase(&c.Spec, earlier, middle)
	return comparison
}

// fewestForSpread is how many births it takes to speak of a middle half.
const fewestForSpread = 4

// quartiles are the medians of the lower and of the upper half, without the
// middle one of an odd number.
func quartiles(values []int64) (lower, upper int64) {
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	return median(sorted[:half]), median(sorted[len(sorted)-half:])
}

func durations(births []*v1alpha1.PodBirthCertificate) []int64 {
	out := make([]int64, 0, len(births))
	for _, b := range births {
		out = append(out, b.Spec.KernelStats.DurationMicroseconds)
	}
	return out
}

// median of at least one value; of an even number, the middle between the two
// middle ones, rounded down.
func median(values []int64) int64 {
	sorted := slices.Sorted(slices.Values(values))
	upper := sorted[len(sorted)/2]
	if len(sorted)%2 == 1 {
		return upper
	}
	lower := sorted[len(sorted)/2-1]
	return lower + (upper-lower)/2
}

func comparisonInWords(spec *v1alpha1.PodBirthCertificateSpec, comparison *v1alpha1.BirthComparison) string {
	if comparison == nil {
		return ""
	}
	text := fmt.Sprintf("; %s times the median of %s of %s %s",
		ratio(spec.KernelStats.DurationMicroseconds, comparison.MedianMicroseconds, 1),
		births(comparison.Births), plain(spec.WorkloadRef.Kind), plain(spec.WorkloadRef.Name))
	if lower, upper := comparison.LowerQuartileMicroseconds, comparison.UpperQuartileMicroseconds; lower != nil && upper != nil {
		text += fmt.Sprintf(" (the middle half of them %s to %s)", duration(*lower), duration(*upper))
	}
	if p := comparison.Phase; p != nil {
		usually := "usually " + duration(p.MedianMicroseconds)
		if p.MedianMicroseconds == 0 {
			usually = "usually none"
		}
		text += fmt.Sprintf("; what differs most is %s: %s, %s", phaseInWords(p.Name, p.Container, p.Detail), duration(p.Microseconds), usually)
	}
	return text
}

func births(n int32) string {
	if n == 1 {
		return "1 earlier birth"
	}
	return fmt.Sprintf("%s earlier births", count(int64(n)))
}

// phaseKey tells phases apart within one birth.
type phaseKey struct{ name, container, detail string }

func phaseTotals(phases []v1alpha1.Phase) map[phaseKey]int64 {
	totals := make(map[phaseKey]int64, len(phases))
	for _, p := range phases {
		key := phaseKey{p.Name, p.Container, p.Detail}
		totals[key] = addSaturated(totals[key], p.DurationMicroseconds)
	}
	return totals
}

// mostOfOuter is the share of a phase's excess from which one within it is named.
const mostOfOuter = 0.9

// differingPhase is the phase that accounts for most of what a birth took longer
// than usual; nil where it did not, or where no single phase does. Of nested phases
// it is the innermost with nearly all of the excess.
func differingPhase(spec *v1alpha1.PodBirthCertificateSpec, earlier []*v1alpha1.PodBirthCertificate, usual int64) *v1alpha1.PhaseComparison {
	took := spec.KernelStats.DurationMicroseconds
	if share(took, usual) < notablySlower {
		return nil
	}
	all := phaseExcesses(spec, earlier)
	found := -1
	for i := range all {
		if found < 0 || all[i].excess() > all[found].excess() {
			found = i
		}
	}
	if found < 0 || share(all[found].excess(), took-usual) < mostOfExcess {
		return nil
	}
	for i := range all {
		if all[i].liesWithin(&all[found]) && share(all[i].excess(), all[found].excess()) >= mostOfOuter {
			found = i // what lies within it comes later in the list
		}
	}
	p := all[found]
	return &v1alpha1.PhaseComparison{Name: p.key.name, Container: p.key.container, Detail: p.key.detail, Microseconds: p.this, MedianMicroseconds: p.middle}
}

// phaseExcess is what the phases of one key took this time and usually, and from where
// to where they reached.
type phaseExcess struct {
	key          phaseKey
	this, middle int64
	from, to     int64
}

func (p *phaseExcess) excess() int64 { return p.this - p.middle }

func (p *phaseExcess) liesWithin(outer *phaseExcess) bool {
	return p.key != outer.key && p.from >= outer.from && p.to <= outer.to
}

// phaseExcesses holds each of a birth's phases against its median over the earlier
// births. They are in the order of spec.phases, so that a tie always falls the same way.
func phaseExcesses(spec *v1alpha1.PodBirthCertificateSpec, earlier []*v1alpha1.PodBirthCertificate) []phaseExcess {
	usual, totals := phaseMedians(earlier), phaseTotals(spec.Phases)
	var all []phaseExcess
	for _, p := range spec.Phases {
		key, end := phaseKey{p.Name, p.Container, p.Detail}, addSaturated(p.StartMicroseconds, p.DurationMicroseconds)
		i := slices.IndexFunc(all, func(x phaseExcess) bool { return x.key == key })
		if i < 0 {
			all = append(all, phaseExcess{key: key, this: totals[key], middle: usual[key], from: p.StartMicroseconds, to: end})
			continue
		}
		all[i].from, all[i].to = min(all[i].from, p.StartMicroseconds), max(all[i].to, end)
	}
	return all
}

// phaseMedians are what the phases of earlier births usually took. A phase that a birth
// does not have took none of its time; of one that is not complete that is not known.
func phaseMedians(earlier []*v1alpha1.PodBirthCertificate) map[phaseKey]int64 {
	values, whole := map[phaseKey][]int64{}, map[phaseKey]int{}
	complete := 0
	for _, b := range earlier {
		if b.Spec.Complete {
			complete++
		}
		for key, total := range phaseTotals(b.Spec.Phases) {
			values[key] = append(values[key], total)
			if b.Spec.Complete {
				whole[key]++
			}
		}
	}
	medians := make(map[phaseKey]int64, len(values))
	for key, v := range values {
		medians[key] = median(append(v, make([]int64, complete-whole[key])...))
	}
	return medians
}

// fractionOfHundred is a whole percentage; the caller has made sure that part
// is not above whole.
func fractionOfHundred(part, whole int64) string {
	return fraction(new(big.Int).Mul(big.NewInt(part), big.NewInt(100)), big.NewInt(whole), 0)
}
