// SPDX-License-Identifier: Apache-2.0

// Package text writes certificates and whispers to a stream: one line each for
// people, or whole objects as JSON or YAML for programs.
package text

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// Format of a Sink.
type Format string

// The formats: a line per object, a JSON document per line, YAML documents.
const (
	Text Format = "text"
	JSON Format = "json"
	YAML Format = "yaml"
)

// Sink writes to a stream.
type Sink struct {
	out     io.Writer
	format  Format
	onError func(error)
	// latest are the lines that were written last, in a ring.
	latest [latestMax]string
	next   int
}

// latestMax is how many lines are looked back for one that says the same.
const latestMax = 64

// New makes a sink, which is for one goroutine. onError is told of each object that could not be written.
func New(out io.Writer, format Format, onError func(error)) (*Sink, error) {
	switch format {
	case Text, JSON, YAML:
		return &Sink{out: out, format: format, onError: onError}, nil
	}
	return nil, fmt.Errorf("unknown output format %q: use text, json or yaml", format)
}

// Certificate writes a certificate. Its line bears the time at which the birth ended.
func (s *Sink) Certificate(c *v1alpha1.PodBirthCertificate) {
	lasted := time.Duration(c.Spec.KernelStats.DurationMicroseconds) * time.Microsecond
	s.write(c, c.Spec.Origin.Time.Add(lasted), view.CertificateLine(c))
}

// Whisper writes a whisper. Its line bears the time of the latest counters.
func (s *Sink) Whisper(w *v1alpha1.KernelWhisper) {
	s.write(w, w.Spec.LastSeenTime.Time, view.WhisperLine(w))
}

func (s *Sink) write(object any, at time.Time, line string) {
	raw := fmt.Appendf(nil, "%s %s\n", at.Format("15:04:05"), line)
	var err error
	if s.format != Text {
		raw, err = s.document(object)
	} else if s.isSaid(string(raw)) {
		return
	}
	if err == nil {
		_, err = s.out.Write(raw)
	}
	if err != nil {
		s.onError(fmt.Errorf("write to the output: %w", err))
	}
}

// isSaid is true for a line that was written a moment ago. An object is told again with
// all that is new of it, and a line has only some of that.
func (s *Sink) isSaid(line string) bool {
	if slices.Contains(s.latest[:], line) {
		return true
	}
	s.latest[s.next%latestMax] = line
	s.next++
	return false
}

// document is a whole object, in which names and messages of others are escaped: the
// output may be read in a terminal.
func (s *Sink) document(object any) ([]byte, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	if s.format == JSON {
		return append(view.EscapeControls(raw), '\n'), nil
	}
	if raw, err = view.YAML(raw); err != nil {
		return nil, err
	}
	return append([]byte("---\n"), raw...), nil
}
