// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestVersion(t *testing.T) {
	for release, want := range map[string]string{"6.18.44-cloud-amd64": "6.18", "7.2": "7.2", "": ""} {
		if got := version(release); got != want {
			t.Errorf("%s: %s, want %s", release, got, want)
		}
	}
}
