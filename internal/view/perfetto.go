// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// trace is a file in the Trace Event Format, which Perfetto and Chrome's own
// viewer open. Times are microseconds since the origin.
type trace struct {
	Events []traceEvent   `json:"traceEvents"`
	Unit   string         `json:"displayTimeUnit"`
	Other  map[string]any `json:"otherData"`
}

// traceEvent is one event: M names something, X is a slice, i an instant.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Kind     string         `json:"ph"`
	Time     int64          `json:"ts"`
	Duration *int64         `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Track    int            `json:"tid"`
	Scope    string         `json:"s,omitempty"`
	Args     map[string]any `json:"args,omitempty"`
}

// tracePod is the one process of the file: the pod. Its number is the viewer's
// and no process of the node.
const tracePod = 1

// Perfetto renders a birth as a trace: a track for the birth, one for the
// milestones, and one for each actor and each container that it worked for.
func Perfetto(out io.Writer, c *v1alpha1.PodBirthCertificate) error {
	c = cleaned(c)
	s := &c.Spec
	t := trace{Unit: "ms", Other: map[string]any{
		"pod": c.Namespace + "/" + s.PodRef.Name, "uid": s.PodRef.UID, "node": s.NodeName, "runtime": s.Runtime,
		"origin": s.Origin.Time.UTC().Format(time.RFC3339Nano),
	}}
	t.meta(0, "process_name", map[string]any{"name": "birth of " + c.Namespace + "/" + s.PodRef.Name})
	for i, track := range tracks(c) {
		t.meta(i+1, "thread_name", map[string]any{"name": track.name})
		t.meta(i+1, "thread_sort_index", map[string]any{"sort_index": i})
		for _, e := range track.events {
			e.Process, e.Track = tracePod, i+1
			t.Events = append(t.Events, e)
		}
	}
	raw, err := json.MarshalIndent(t, "", " ")
	if err != nil {
		return fmt.Errorf("write the trace: %w", err)
	}
	_, err = out.Write(append(raw, '\n'))
	return err
}

func (t *trace) meta(track int, name string, args map[string]any) {
	t.Events = append(t.Events, traceEvent{Name: name, Kind: "M", Process: tracePod, Track: track, Args: args})
}

func slice(name, category string, from, duration int64, args map[string]any) traceEvent {
	return traceEvent{Name: name, Category: category, Kind: "X", Time: from, Duration: &duration, Args: args}
}

func instant(name, category string, at int64, args map[string]any) traceEvent {
	return traceEvent{Name: name, Category: category, Kind: "i", Time: at, Scope: "t", Args: args}
}

// phaseArgs are what a viewer shows of a phase when it is chosen.
func phaseArgs(r Row) map[string]any {
	args := map[string]any{"critical path": r.Critical(), "duration µs": r.DurationMicroseconds}
	for name, text := range map[string]string{"container": r.Container, "detail": r.Detail} {
		if text != "" {
			args[name] = text
		}
	}
	if r.Critical() {
		args["critical µs"] = r.CriticalMicroseconds
	}
	if r.WaitMicroseconds != nil {
		args["on CPU µs"], args["waited µs"] = r.OnCPU, r.Waiting
	}
	if kinds := waitKinds(r.Waits); len(kinds) > 0 {
		waits := map[string]int64{}
		for _, k := range kinds {
			waits[k.name+" µs"] = k.us
		}
		args["waited for"] = waits
	}
	return args
}

// birthArgs are what a viewer shows of the birth as a whole.
func birthArgs(c *v1alpha1.PodBirthCertificate) map[string]any {
	s := &c.Spec
	args := map[string]any{
		"outcome": s.Outcome, "complete": s.Complete,
		"attributed %": s.Coverage.AttributedPercent, "lost events": s.Coverage.LostEvents,
	}
	if n := s.KernelStats.TotalSyscalls; n > 0 {
		args["system calls"] = n
	}
	if c.Status.Insight != "" {
		args["insight"] = c.Status.Insight
	}
	if s.Failure != nil {
		args["failure"] = Failure(s.Failure)
	}
	if s.FailedAttempts > 0 {
		args["failed attempts"] = s.FailedAttempts
	}
	return args
}
