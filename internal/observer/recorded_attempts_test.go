// SPDX-License-Identifier: Apache-2.0

package observer_test

import "testing"

// What an attempt of a container died of has one name, in the failure and among the
// attempts: of a program that is not there, of one that ends, of a script without its
// interpreter, of a configuration and an image that cannot be had.
func TestRecordedAttemptsNameTheStepOfTheFailure(t *testing.T) {
	told := map[string]int{}
	for _, recording := range []string{sevenBirths, fiveBirths} {
		for pod, c := range play(t, recording).certificates {
			f := c.Spec.Failure
			if f == nil || c.Spec.FailedAttempts == 0 {
				continue
			}
			told[f.Step]++
			if a := c.Spec.Attempts; len(a) != 1 || a[0].Step != f.Step || a[0].Container != f.Container {
				t.Errorf("%s: attempts %+v, and failed at %s of %s", pod, a, f.Step, f.Container)
			}
		}
	}
	for step, want := range map[string]int{"Entrypoint": 3, "ImagePull": 1, "ContainerConfig": 1} {
		if told[step] != want {
			t.Errorf("%d births that failed at %s, want %d", told[step], step, want)
		}
	}
}
