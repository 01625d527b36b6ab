// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/hooks"
	"github.com/kernel-gossip/kernel-gossip/internal/observer"
)

const (
	// lineMax bounds one line of a recording; the longest has the bursts of a lean-in.
	lineMax = 64 << 20
	// silenceMax bounds the time between two lines, which is played in small steps.
	silenceMax = 7 * 24 * time.Hour
)

var errGone = fmt.Errorf("the recording has no such cgroup: %w", event.ErrGone)

// Replay is a recording that is played back. It answers as the kernel did.
type Replay struct {
	entries []entry
	at      int // the entry that is being played
	wall    time.Time
	began   uint64
}

// Open reads a recording, also one that gzip has compressed (its name ends in
// .gz). A line that cannot be read is named in the error.
func Open(file string) (*Replay, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	defer func() { _ = f.Close() }()
	var in io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("recording %s: %w", file, err)
		}
	}
	r, err := Read(in)
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", file, err)
	}
	return r, nil
}

// Read reads a recording from a stream.
func Read(in io.Reader) (*Replay, error) {
	r := &Replay{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, lineMax)
	for n := 1; lines.Scan(); n++ {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d is not of a recording: %w", n, err)
		}
		if !r.follows(e) {
			return nil, fmt.Errorf("line %d is not of this recording: its time is before the line before, or more than %s after it", n, silenceMax)
		}
		r.entries = append(r.entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(r.entries) == 0 || r.entries[0].Wall == nil {
		return nil, errors.New("the first line does not begin a recording")
	}
	r.wall, r.began = *r.entries[0].Wall, r.entries[0].At
	return r, nil
}

// follows is true for an entry that can have been written next.
func (r *Replay) follows(e entry) bool {
	if len(r.entries) == 0 {
		return true
	}
	last := r.entries[len(r.entries)-1].At
	return e.At >= last && e.At-last <= uint64(silenceMax)
}

// WithAPI tells whether an API server told of pods.
func (r *Replay) WithAPI() bool { return r.entries[0].WithAPI }

// WeightsV2 tells whether weights are those of cgroup v2, see observer.Config.
func (r *Replay) WeightsV2() bool { return r.entries[0].Weights2 }

// Plan is how the kernel was heard; nil for a recording that does not say.
func (r *Replay) Plan() func() hooks.Plan {
	plan := r.entries[0].Plan
	if plan == nil {
		return nil
	}
	return func() hooks.Plan { return plan }
}

// WithRemarks tells whether the kubelet's remarks on pods are in it.
func (r *Replay) WithRemarks() bool {
	return slices.ContainsFunc(r.entries, func(e entry) bool { return e.Said != nil })
}

// Wall turns the recording's clock of events into wall time.
func (r *Replay) Wall(monotonic uint64) time.Time {
	return r.wall.Add(time.Duration(int64(monotonic) - int64(r.began)))
}

// Run tells the engine everything in its order, with the time that passes
// between, until the recording ends or ctx is done, which is an error.
func (r *Replay) Run(ctx context.Context, e *observer.Engine) error {
	const births = uint64(100 * time.Millisecond)
	next := r.began
	if r.entries[0].LeansIn {
		e.LeanWith(func(observer.LeanIn) {}) // what came of it is in the recording
	} else {
		e.LeanWith(nil)
	}
	for i, told := range r.entries {
		r.at = i
		for ; next < told.At && ctx.Err() == nil; next += births {
			e.Births(next)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("replay: %w", context.Cause(ctx))
		}
		switch {
		case told.Event != nil:
			e.Event(*told.Event, told.At)
		case told.Pod != nil:
			e.Pod(*told.Pod, told.At)
		case told.Gone != "":
			e.PodGone(told.Gone, told.At)
		case told.Said != nil:
			e.Said(told.Said.UID, told.Said.Remarks)
		case told.Node != nil:
			e.Node(*told.Node)
		case told.Heard != nil:
			h := observer.Heard{Heard: *told.Heard}
			h.Judge()
			e.Heard(h, told.At)
		case r.beginsRound(i):
			e.Throttling(told.At)
		}
	}
	return nil
}

// beginsRound is true for the first group of a round of reading.
func (r *Replay) beginsRound(i int) bool {
	const apart = uint64(500 * time.Millisecond)
	if r.entries[i].Group == nil {
		return false
	}
	for j := i - 1; j >= 0 && r.entries[i].At-r.entries[j].At < apart; j-- {
		if r.entries[j].Group != nil || r.entries[j].Missing != 0 {
			return false
		}
	}
	return true
}

// errNoWalk says that nobody walked the cgroups then, or that the recording is older
// than that it was done again.
var errNoWalk = errors.New("the recording has no walk of the cgroups from here on")

// Walk tells the cgroups that existed when the recording began, or when they were
// walked again next: what was heard meanwhile may lie between.
func (r *Replay) Walk(visit func(id, pointer uint64, path string)) error {
	const within = uint64(time.Second)
	var began uint64
	for _, e := range r.entries[r.at:] {
		switch {
		case e.Cgroup != nil && (began == 0 || r.at == 0 || e.At-began < within):
			began = e.At
			visit(e.Cgroup.ID, 0, e.Cgroup.Path)
		case r.at == 0 && e.Wall == nil, began != 0 && e.At-began >= within:
			return nil // the first walk ends before anything else is told
		}
	}
	if began == 0 && r.at != 0 {
		return errNoWalk
	}
	return nil
}

// ReadGroup finds what was read of the cgroup in the round that is being played.
func (r *Replay) ReadGroup(id, _ uint64) (event.Group, error) {
	for _, e := range r.entries[r.at:] {
		if e.Group != nil && e.Group.Cgroup == id {
			return *e.Group, nil
		}
		if e.Missing == id {
			break
		}
	}
	return event.Group{}, errGone
}

// Counts finds the session's counters as they were read next, or last.
func (r *Replay) Counts(session uint64) (event.SessionCounts, error) {
	var found event.SessionCounts
	for i, e := range r.entries {
		if e.Counts != nil && e.Counts.Session == session {
			found = e.Counts.Counts
			if i >= r.at {
				break
			}
		}
	}
	return found, nil
}

// Arm finds when system calls began to be heard.
func (r *Replay) Arm() (uint64, error) {
	last := r.entries[r.at].At
	for _, e := range r.entries {
		if e.Armed != 0 {
			last = e.Armed
			if e.At >= r.entries[r.at].At {
				break
			}
		}
	}
	return last, nil
}

// Disarm does nothing: what was not heard is not in the recording.
func (r *Replay) Disarm() error { return nil }

// Forget does nothing, likewise.
func (r *Replay) Forget(uint64) error { return nil }

// Sessions tells none: nothing is left over in a recording.
func (r *Replay) Sessions() (map[uint64]uint64, error) { return nil, nil }

// Lost finds what had been lost by now.
func (r *Replay) Lost() (event.Loss, error) {
	for i := r.at; i >= 0; i-- {
		if l := r.entries[i].Loss; l != nil {
			return *l, nil
		}
	}
	return event.Loss{}, nil
}
