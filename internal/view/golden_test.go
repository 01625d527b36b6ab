// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// certificate reads one of testdata; its README says what they are.
func certificate(t *testing.T, name string) *v1alpha1.PodBirthCertificate {
	t.Helper()
	c := &v1alpha1.PodBirthCertificate{}
	read(t, name, c)
	return c
}

// whisper reads one of testdata.
func whisper(t *testing.T, name string) *v1alpha1.KernelWhisper {
	t.Helper()
	w := &v1alpha1.KernelWhisper{}
	read(t, "whisper-"+name, w)
	return w
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(raw, into); err != nil {
		t.Fatal(err)
	}
}

// hostile is a certificate in which every text that others choose tries to
// break out: of the terminal, of the line, of XML.
func hostile(t *testing.T) *v1alpha1.PodBirthCertificate {
	t.Helper()
	const evil = "a\x1b[31m\u009b2J\r\n\t<b>&\"'\u202eevil\x00\xff\u2028"
	c := certificate(t, "full")
	s := &c.Spec
	c.Namespace, s.PodRef.Name, s.NodeName, s.Runtime = evil, evil, evil, evil
	s.WorkloadRef.Name = evil
	s.Outcome, s.FailedAttempts = v1alpha1.OutcomeFailed, 1
	s.Failure = &v1alpha1.BirthFailure{Step: evil, Actor: evil, Container: evil, Reason: evil, File: evil, Message: evil}
	s.Phases[2].Detail, s.Phases[3].Container = evil, evil
	s.Phases[4].Name = "日本語\u0301のフェーズ"
	s.Milestones.Containers[0].Name = evil
	s.Timeline[3].Detail, s.Coverage.Missing = evil, []string{evil}
	s.KernelStats.TopSyscalls[0].Name, s.KernelStats.Actors[2].Container = evil, evil
	c.Status.Insight = evil
	return c
}

// golden holds what was rendered against a file.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the output differs from %s (go test ./internal/view -update writes it anew):\n%s", file, got)
	}
}
