// SPDX-License-Identifier: Apache-2.0

package text_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/sink/text"
)

// What others wrote into names and messages moves no reader's terminal, and programs
// get it whole.
func TestFormats(t *testing.T) {
	const hostile = "a\x1b[31m\u009b2J\u202eb"
	c := &v1alpha1.PodBirthCertificate{}
	c.Spec.PodRef.Name, c.Spec.Outcome = "web", v1alpha1.OutcomeFailed
	c.Spec.Failure = &v1alpha1.BirthFailure{Step: "Entrypoint", Message: hostile}
	w := &v1alpha1.KernelWhisper{}
	w.Spec.PodRef.Name, w.Spec.ContainerName = "web", hostile
	for format, begins := range map[text.Format]string{text.Text: "00:00:00 birth ", text.JSON: "{", text.YAML: "---\n"} {
		var out bytes.Buffer
		s, err := text.New(&out, format, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		s.Certificate(c)
		first := out.String()
		s.Whisper(w)
		if !strings.HasPrefix(first, begins) || strings.ContainsAny(out.String(), "\x1b\u009b\u202e") {
			t.Errorf("%s: %q", format, out.String())
		}
		back := v1alpha1.PodBirthCertificate{}
		switch format {
		case text.JSON:
			err = json.Unmarshal([]byte(first), &back)
		case text.YAML:
			err = yaml.Unmarshal([]byte(first), &back)
		case text.Text:
			continue
		}
		if err != nil || back.Spec.Failure.Message != hostile {
			t.Errorf("%s: %v %+v", format, err, back.Spec.Failure)
		}
	}
}

// What is told again without anything new in its line is one line, and each time a
// document.
func TestNoLineIsWrittenTwice(t *testing.T) {
	for format, want := range map[text.Format]int{text.Text: 3, text.JSON: 4} {
		var out bytes.Buffer
		s, err := text.New(&out, format, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		w, other := &v1alpha1.KernelWhisper{}, &v1alpha1.KernelWhisper{}
		w.Spec.PodRef.Name, other.Spec.PodRef.Name = "web", "other"
		s.Whisper(w)
		s.Whisper(other)
		w.Spec.Change = &v1alpha1.ResourceChange{}
		s.Whisper(w)
		w.Spec.LastSeenTime.Time = w.Spec.LastSeenTime.Add(time.Second)
		s.Whisper(w)
		if got := strings.Count(out.String(), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d: %s", format, got, want, out.String())
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestErrors(t *testing.T) {
	if _, err := text.New(nil, "xml", nil); err == nil {
		t.Error("an unknown format is taken")
	}
	var told error
	s, err := text.New(broken{}, text.Text, func(err error) { told = err })
	if err != nil {
		t.Fatal(err)
	}
	s.Whisper(&v1alpha1.KernelWhisper{})
	if told == nil || told.Error() != "write to the output: gone" {
		t.Error(told)
	}
}
