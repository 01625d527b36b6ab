// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
		sorted, err := Sorted(all, by)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range sorted {
			got = append(got, c.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("by %s: %v, want %s", by, got, want)
		}
	}
	if _, err := Sorted(all, "color"); err == nil {
		t.Error("an unknown order is taken")
	}
}

func TestBirthsTable(t *testing.T) {
	var all []v1alpha1.PodBirthCertificate
	for _, file := range []string{"web", "failed", "many", "bare"} {
		c := certificate(t, file)
		c.CreationTimestamp = metav1.NewTime(c.Spec.Origin.Time.Add(time.Second))
		all = append(all, *c)
	}
	for name, terminal := range map[string]Terminal{"piped": {}, "60": {Width: 60}, "100": {Width: 100}, "160-color": {Width: 160, Color: true}} {
		var out bytes.Buffer
		if err := Births(&out, all, terminal, name == "piped", all[0].Spec.Origin.Time.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		checkLines(t, out.String(), terminal)
		golden(t, "testdata/births-"+name+".golden", out.Bytes())
	}
}

// What is dropped from long lists is nothing that is shown.
func TestListsNeedNotAll(t *testing.T) {
	var births []v1alpha1.PodBirthCertificate
	for _, file := range []string{"web", "failed", "many", "bare", "full"} {
		births = append(births, *certificate(t, file))
	}
	var whispers []v1alpha1.KernelWhisper
	for _, file := range []string{"web", "bare", "changed", "contention", "recorded"} {
		whispers = append(whispers, *whisper(t, file))
	}
	now := births[0].Spec.Origin.Time.Add(time.Minute)
	show := func() string {
		var out bytes.Buffer
		for _, by := range []Order{ByDuration, BySyscalls, ByWait, ByAge} {
			sorted, err := Sorted(births, by)
			if err != nil {
				t.Fatal(err)
			}
			if err := Births(&out, sorted, Terminal{}, true, now); err != nil {
				t.Fatal(err)
			}
		}
		for _, by := range []Order{BySeverity, ByStall, ByThrottled, ByAge} {
			sorted, err := SortedWhispers(whispers, by)
			if err != nil {
				t.Fatal(err)
			}
			if err := Whispers(&out, sorted, Terminal{}, true, now); err != nil {
				t.Fatal(err)
			}
		}
		return out.String()
	}
	whole := show()
	ForBirths(births)
	ForWhispers(whispers)
	if lean := show(); lean != whole {
		t.Errorf("whole:\n%s\nlean:\n%s", whole, lean)
	}
	if births[0].Spec.Timeline != nil || whispers[0].Spec.Evidence != nil {
		t.Error("nothing was dropped")
	}
}
