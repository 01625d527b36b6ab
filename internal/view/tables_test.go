// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorded is the certificate of a real birth; see its folder for the origin.
func recorded(t *testing.T) v1alpha1.PodBirthCertificate {
	t.Helper()
	raw, err := os.ReadFile("../observer/testdata/web.golden.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c v1alpha1.PodBirthCertificate
	if err := yaml.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
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

func TestCertificate(t *testing.T) {
	c := recorded(t)
	c.Status.Insight = "An insight."
	var out bytes.Buffer
	if err := Certificate(&out, &c); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/certificate.golden", out.Bytes())
}

func TestBirthsAreOrdered(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	make := func(name string, microseconds, syscalls, wait int64, age time.Duration) v1alpha1.PodBirthCertificate {
		c := v1alpha1.PodBirthCertificate{}
		c.Namespace, c.Name, c.CreationTimestamp = "ns", name, metav1.NewTime(now.Add(-age))
		c.Spec.PodRef.Name, c.Spec.Outcome, c.Spec.Duration = name, v1alpha1.OutcomeReady, "1s"
		c.Spec.KernelStats.DurationMicroseconds, c.Spec.KernelStats.TotalSyscalls = microseconds, syscalls
		c.Spec.Coverage.AttributedPercent = "100.0"
		c.Spec.Phases = []v1alpha1.Phase{{Name: "Network", DurationMicroseconds: wait, WaitMicroseconds: &wait}}
		return c
	}
	all := []v1alpha1.PodBirthCertificate{
		make("a", 1, 9, 5, time.Minute), make("b", 3, 7, 6, time.Hour), make("c", 2, 8, 4, time.Second),
	}
	for by, want := range map[Order]string{ByDuration: "b c a", BySyscalls: "a c b", ByWait: "b a c", ByAge: "c a b"} {
		var out bytes.Buffer
		if err := Births(&out, all, by, true, now); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.Fields(line)[1])
		}
		if strings.Join(got, " ") != "POD "+want {
			t.Errorf("by %s: %v, want %s", by, got, want)
		}
	}
	if err := Births(&bytes.Buffer{}, all, "colour", false, now); err == nil {
		t.Error("an unknown order is taken")
	}
}

func TestBirthsTable(t *testing.T) {
	c := recorded(t)
	c.CreationTimestamp = metav1.NewTime(c.Spec.Origin.Time.Add(time.Second))
	var out bytes.Buffer
	if err := Births(&out, []v1alpha1.PodBirthCertificate{c}, ByAge, false, c.Spec.Origin.Time.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/births.golden", out.Bytes())
}

func TestWhispersTableBeginsWithWhatGoesOn(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)
	whisper := func(pod string, start time.Duration, ended bool) v1alpha1.KernelWhisper {
		w := v1alpha1.KernelWhisper{}
		w.Spec.PodRef.Name, w.Spec.ContainerName = pod, "app"
		w.Spec.StartTime = metav1.NewMicroTime(now.Add(-start))
		w.Spec.KernelTruth = v1alpha1.KernelTruth{ThrottledPercent: "50.0", UsageMillicores: 100, DemandMillicores: 900}
		if ended {
			end := metav1.NewMicroTime(now.Add(-start + time.Minute))
			w.Spec.EndTime = &end
		}
		return w
	}
	on := whisper("on", time.Hour, false)
	on.Status.Severity, on.Status.MetricsLie = v1alpha1.SeverityCritical, &v1alpha1.MetricsLie{PercentOfLimit: "99.8"}
	var out bytes.Buffer
	all := []v1alpha1.KernelWhisper{whisper("older", 3*time.Hour, true), whisper("younger", 2*time.Hour, true), on}
	if err := Whispers(&out, all, false, now); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/whispers.golden", out.Bytes())
}
