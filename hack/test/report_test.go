// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"testing"
)

func TestRunsOfAStageAddUp(t *testing.T) {
	sum := result{passed: 2, passes: []string{"a", "b"}}
	sum.add(result{passed: 1, failed: 1, skipped: 1, final: true, failures: []string{"c"}, passes: []string{"d"}, skips: []string{"e"}, unstable: []string{"f"}})
	sum.add(result{})
	want := result{passed: 3, failed: 1, skipped: 1, final: true, failures: []string{"c"}, passes: []string{"a", "b", "d"}, skips: []string{"e"}, unstable: []string{"f"}}
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("the sum is %+v, want %+v", sum, want)
	}
}
