// SPDX-License-Identifier: Apache-2.0

package cost

import (
	"testing"
	"time"
)

// spending is a stretch of seconds with the same share of a core spent in each.
type spending struct {
	seconds int
	share   float64
	want    Step // at its end
}

func TestGovernor(t *testing.T) {
	for name, c := range map[string]struct {
		budget float64
		all    []spending
	}{
		"within the budget nothing gives way": {0.01, []spending{{3600, 0.0099, Normal}}},
		"a burst is paid from what was not spent": {0.01, []spending{
			{10, 0, Normal}, {1, 2.3, Normal}, {240, 0, Normal}, {1, 2.3, Normal},
		}},
		"the order of the steps, and back": {0.01, []spending{
			{1, 2.35, Normal}, {1, 0.08, Shortened}, // 65 s are left, then 58 s
			{1, 0.60, Refused},                  // −1 s
			{15, 0, Refused}, {3, 0, Shortened}, // taken back above 15 s
			{70, 0, Shortened}, {5, 0, Normal}, // above 90 s
			{1, 1.60, Slow},    // about −66 s
			{1, 0.60, Slowest}, // about −125 s
			{33, 0, Slowest}, {4, 0, Slow}, {56, 0, Slow}, {6, 0, Refused},
		}},
		"a storm is paid back, and not for ever": {0.01, []spending{
			{60, 0.5, Slowest}, // 50 minutes' worth
			{88, 0, Slowest}, {4, 0, Slow}, {270, 0, Normal},
		}},
		"where the rest alone costs more it stays": {0.01, []spending{
			{3300, 0.011, Refused}, {6000, 0.011, Slowest}, {3600, 0.011, Slowest},
		}},
		"no budget": {0, []spending{{60, 2, Normal}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewGovernor(c.budget)
			for i, s := range c.all {
				for range s.seconds {
					g.Spend(time.Duration(s.share*float64(time.Second)), time.Second)
				}
				if g.Step() != s.want {
					t.Fatalf("after stretch %d: %s, want %s; balance %s", i, g.Step(), s.want, g.Balance())
				}
			}
		})
	}
}

// Whatever is done meanwhile, a step is not taken and taken back in turns.
func TestStepsDoNotFlap(t *testing.T) {
	g := NewGovernor(0.01)
	changes, was := 0, Normal
	for i := range 3600 {
		spent := 5 * time.Millisecond
		if i%2 == 0 {
			spent = 17 * time.Millisecond // 11 ms a second on average
		}
		if step := g.Spend(spent, time.Second); step != was {
			changes, was = changes+1, step
		}
	}
	if changes > int(Slowest) {
		t.Errorf("%d changes within an hour", changes)
	}
}

// What gives way brings the average down to the budget.
func TestTheBudgetIsKept(t *testing.T) {
	const budget, rest = 0.01, 4 * time.Millisecond
	costs := map[Step]time.Duration{Normal: 60 * time.Millisecond, Shortened: 15 * time.Millisecond}
	g := NewGovernor(budget)
	var spent time.Duration
	const hour = 3600
	for range hour {
		now := rest + costs[g.Step()]
		spent += now
		g.Spend(now, time.Second)
	}
	// The account was full at first, and the last lean-in may overdraw it.
	if flows := budget * (hour + accountHolds.Seconds()); spent.Seconds() > flows+costs[Normal].Seconds() {
		t.Errorf("spent %s, %.1f s flew in", spent, flows)
	}
	if g.taken[Refused] == 0 || g.taken[Normal]+g.taken[Shortened] == 0 {
		t.Errorf("taken %v", g.taken)
	}
}

func TestSteps(t *testing.T) {
	for step, want := range map[Step][2]int{Normal: {0, 1}, Shortened: {1, 1}, Refused: {2, 1}, Slow: {3, 2}, Slowest: {3, 4}} {
		if got := [2]int{step.Level(), step.Slowdown()}; got != want {
			t.Errorf("%s: level and slowdown %v, want %v", step, got, want)
		}
	}
}

func TestAverage(t *testing.T) {
	var a average
	for range 4 {
		a.add(time.Millisecond, time.Second)
	}
	if _, known := a.share(); known {
		t.Error("known after 4 s")
	}
	for range 200 {
		a.add(10*time.Millisecond, time.Second)
	}
	if share, known := a.share(); !known || share < 0.0099 || share > 0.0101 || len(a.spends) > 61 {
		t.Errorf("%v %t, %d kept", share, known, len(a.spends))
	}
	a.add(time.Second, time.Second)
	if share, _ := a.share(); share < 0.026 || share > 0.027 {
		t.Errorf("%v", share)
	}
	a.add(time.Second, 0)
	a.add(time.Second, 2*time.Minute)
	if share, _ := a.share(); share > 0.009 || len(a.spends) != 1 {
		t.Errorf("after a long gap %v, %d kept", share, len(a.spends))
	}
}

func TestParseBudget(t *testing.T) {
	for s, want := range map[string]float64{"1%": 0.01, "0.5%": 0.005, "10m": 0.01, "0": 0, "0%": 0, "100%": 1, "1500m": 1.5} {
		if got, err := ParseBudget(s); err != nil || got < want-1e-9 || got > want+1e-9 {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1", "0.01", "-1%", "%", "m", "NaN%", "Inf%", "1 %", "1e9%", "10ms"} {
		if got, err := ParseBudget(s); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
	for share, want := range map[float64]string{0.01: "1%", 0.0005: "0.05%", 0: "0%", 1.5: "150%", 0.012344: "1.234%"} {
		if got := FormatBudget(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
}
