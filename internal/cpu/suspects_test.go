// SPDX-License-Identifier: Apache-2.0

package cpu

import (
	"fmt"
	"testing"
	"time"
)

func throttledSince(occasion uint64) Interest {
	return Interest{Why: WhyThrottled, Occasion: occasion, For: 10 * time.Second, Situation: Situation{Quota: 1, Throttled: 1, Usage: 100}}
}

const second = uint64(time.Second)

// play lets suspects be leaned in on for a while, second by second, and returns
// when each was.
func play(s *Suspects, from, to uint64, each func(now uint64)) map[string][]uint64 {
	began := map[string][]uint64{}
	until := map[string]uint64{}
	for now := from; now < to; now += second {
		each(now)
		for id, end := range until {
			if now >= end {
				delete(until, id)
				s.Done(id, now)
			}
		}
		for _, l := range s.Next(now) {
			began[l.ContainerID] = append(began[l.ContainerID], now)
			until[l.ContainerID] = now + uint64(l.For)
		}
		if s.Listening() > 2 {
			panic("more than two at a time")
		}
	}
	return began
}

func TestThePauseGrows(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	got := play(s, second, 3600*second, func(now uint64) { s.Suspect("a", throttledSince(1), now) })["a"]
	// At once; then after pauses of 1, 2, 4, 8, 8 … minutes from the end of the last.
	want := []uint64{1, 71, 201, 451, 941, 1431}
	for i, at := range want {
		if got[i] != at*second {
			t.Fatalf("leaned in at %v", got)
		}
	}
	if len(got) != 10 {
		t.Errorf("%d times in an hour", len(got))
	}
}

func TestANewSituationShortensThePause(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	got := play(s, second, 1000*second, func(now uint64) {
		in := throttledSince(1)
		if now >= 500*second {
			in.Situation.Throttled = 0.3
		}
		s.Suspect("a", in, now)
	})["a"]
	if len(got) < 6 || got[4] != 521*second {
		t.Errorf("leaned in at %v", got)
	}
}

func TestANewEpisodeIsHeardAtOnceButNotWithoutEnd(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	got := play(s, second, 600*second, func(now uint64) {
		// An episode of 15 s begins every 20 s.
		if now/second%20 < 15 {
			s.Suspect("a", throttledSince(now/second/20+1), now)
		} else {
			s.Clear("a")
		}
	})["a"]
	if got[0] != second || len(got) < 8 || len(got) > 11 {
		t.Errorf("leaned in at %v", got)
	}
}

func TestAChangeGoesFirst(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	got := play(s, second, 120*second, func(now uint64) {
		for i := range 20 {
			s.Suspect(fmt.Sprintf("c%02d", i), throttledSince(1), now)
		}
		if now >= 30*second {
			in := throttledSince(9)
			in.Why = WhyChanged
			s.Suspect("changed", in, now)
		}
	})
	if at := got["changed"]; len(at) != 1 || at[0] > 41*second {
		t.Errorf("measured at %v", at)
	}
}

// Many containers are throttled at once, and limits are changed all the time:
// everybody is heard.
func TestNobodyStarves(t *testing.T) {
	c := DefaultConfig()
	s := NewSuspects(c)
	const many = 2_000
	ids := make([]string, many)
	for i := range ids {
		ids[i] = fmt.Sprintf("c%05d", i)
	}
	n := uint64(0)
	interest := func(why Why, occasion uint64) Interest {
		in := throttledSince(occasion)
		in.Why, in.For = why, time.Second
		return in
	}
	got := play(s, second, 2_500*second, func(now uint64) {
		if now == second {
			for _, id := range ids {
				s.Suspect(id, interest(WhyThrottled, 1), now)
			}
		}
		n++ // one change a second: half of all that there is room for
		s.Suspect(fmt.Sprintf("new%d", n), interest(WhyChanged, n), now)
	})
	for _, id := range ids {
		if len(got[id]) == 0 {
			t.Fatalf("%s was never heard", id)
		}
	}
	if s.Listening() > c.LeanInsMax {
		t.Error("too many")
	}
}

// A node that is always busy is not always listened to, and all have their turn.
func TestContentionIsListenedToHalfTheTime(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	listened := uint64(0)
	got := play(s, second, 301*second, func(now uint64) {
		for i := range 20 {
			s.Suspect(fmt.Sprintf("c%02d", i), Interest{Why: WhyContended, For: 3 * time.Second}, now)
		}
		listened += uint64(s.Listening())
	})
	if len(got) != 20 || listened > 160 {
		t.Errorf("%d of 20 were heard, in %d of 300 s", len(got), listened)
	}
}

func TestADeafObserverWaitsForNothing(t *testing.T) {
	c := DefaultConfig()
	c.LeanIn = 0
	s := NewSuspects(c)
	s.Suspect("a", throttledSince(1), second)
	if len(s.Next(second)) != 0 || s.Waiting("a") {
		t.Error("it waits for a recording that nobody makes")
	}
}

func TestALeanInThatNeverAnswersIsGivenUp(t *testing.T) {
	s := NewSuspects(DefaultConfig())
	s.Suspect("a", throttledSince(1), second)
	if len(s.Next(second)) != 1 || !s.UnderWay("a") {
		t.Fatal("not begun")
	}
	s.Next(72 * second)
	if s.UnderWay("a") {
		t.Error("still under way")
	}
}

// Only a container that serves somebody, and rarely, is listened to for longer.
func TestALeanInIsOver(t *testing.T) {
	l := LeanIn{For: 10 * time.Second, AtMost: 30 * time.Second}
	for _, c := range []struct {
		passed  time.Duration
		serving int
		over    bool
	}{
		{9 * time.Second, 0, false},
		{9 * time.Second, 5000, false},
		{10 * time.Second, 0, true},
		{10 * time.Second, 1, false},
		{29 * time.Second, ServingEnough - 1, false},
		{11 * time.Second, ServingEnough, true},
		{30 * time.Second, 1, true},
	} {
		if got := l.Over(c.passed, c.serving); got != c.over {
			t.Errorf("%s, %d: over %t", c.passed, c.serving, got)
		}
	}
}
