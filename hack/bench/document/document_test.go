// SPDX-License-Identifier: Apache-2.0

package document

import "testing"

func TestReplace(t *testing.T) {
	page := "before\n" + Begin("bench") + "old\n" + End("bench") + "after\n"
	got, err := Replace([]byte(page), "bench", []byte("new\n"))
	if want := "before\n" + Begin("bench") + "new\n" + End("bench") + "after\n"; err != nil || string(got) != want {
		t.Errorf("%v: %q", err, got)
	}
	if _, err := Replace([]byte(page), "bench-other", nil); err == nil {
		t.Error("a page without the markers was written to")
	}
}
