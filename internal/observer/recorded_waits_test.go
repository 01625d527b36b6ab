// SPDX-License-Identifier: Apache-2.0

package observer_test

import (
	"slices"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

const fiveBirths = "testdata/five-births.jsonl.gz"

// TestRecordedEndings: what each of the recorded failures died of.
func TestRecordedEndings(t *testing.T) {
	f := play(t, fiveBirths)
	for name, want := range map[string]v1alpha1.BirthFailure{
		"crash":        {Step: "Entrypoint", Actor: v1alpha1.ActorWorkload, Container: "app", Reason: "Error"},
		"interpreter":  {Step: "Entrypoint", Actor: v1alpha1.ActorRuntime, Container: "app", Reason: "Error", Errno: "ENOENT", File: "/files/script"},
		"unconfigured": {Step: "ContainerConfig", Actor: v1alpha1.ActorKubelet, Container: "app", Reason: "CreateContainerConfigError"},
		"imageless":    {Step: "ImagePull", Actor: v1alpha1.ActorKubelet, Container: "app", Reason: "ErrImageNeverPull"},
	} {
		t.Run(name, func(t *testing.T) {
			c := f.certificates[name]
			if c == nil || c.Spec.Failure == nil {
				t.Fatal("no certificate of a failure")
			}
			got := *c.Spec.Failure
			got.Message, got.ExitCode = "", nil
			if got != want {
				t.Errorf("failure %+v, want %+v", got, want)
			}
			checkShape(t, c)
		})
	}
	// Two of its three attempts were over when the recording ended.
	if n := f.certificates["crash"].Spec.FailedAttempts; n < 2 {
		t.Errorf("crash: %d failed attempts", n)
	}
	if c := f.certificates["server"]; c.Spec.Outcome != v1alpha1.OutcomeReady || !c.Spec.Complete {
		t.Errorf("server: %s, complete %t, missing %v", c.Spec.Outcome, c.Spec.Complete, c.Spec.Coverage.Missing)
	}
}

// TestRecordedWaits: the init container slept for 200 ms, five pods fought for
// two CPUs, and a phase never waits for longer than it lasts.
func TestRecordedWaits(t *testing.T) {
	c := play(t, fiveBirths).certificates["server"]
	if c == nil {
		t.Fatal("no certificate")
	}
	phase := func(name, container string) v1alpha1.Phase {
		i := slices.IndexFunc(c.Spec.Phases, func(p v1alpha1.Phase) bool {
			return p.Name == name && p.Container == container
		})
		if i < 0 || c.Spec.Phases[i].Waits == nil {
			t.Fatalf("no phase %s of %q with waits in %v", name, container, c.Spec.Phases)
		}
		return c.Spec.Phases[i]
	}
	if slept := phase("InitRun", "first").Waits.TimerMicroseconds; slept < 200_000 || slept > 204_000 {
		t.Errorf("sleep 0.2 waited %d µs for its timer", slept)
	}
	create := phase("ContainerCreate", v1alpha1.SandboxContainer)
	if ready := create.Waits.RunnableMicroseconds; 2*ready < create.DurationMicroseconds {
		t.Errorf("the sandbox was ready to run for %d of %d µs, on busy CPUs", ready, create.DurationMicroseconds)
	}
}
