// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

// TestEveryKindIsCovered holds the tests that the documentation names against those that
// there are. It needs no cluster.
func TestEveryKindIsCovered(t *testing.T) {
	declared := map[string]bool{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(readFile(t, file), -1) {
			declared[m[1]] = true
		}
	}
	const table = "../../docs/reference/births.md"
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(readFile(t, table), -1)
	if len(named) == 0 {
		t.Errorf("%s names no test", table)
	}
	for _, m := range named {
		if !declared[m[1]] {
			t.Errorf("%s names %s, which is none", table, m[1])
		}
	}
}
