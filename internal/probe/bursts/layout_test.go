// SPDX-License-Identifier: Apache-2.0

package bursts

import (
	"cmp"
	"os"
	"regexp"
	"strings"
	"testing"
)

// enumerators are the names of an enum of the programs, whose values count from 0.
func enumerators(t *testing.T, enum string) (names []string) {
	t.Helper()
	raw, err := os.ReadFile("../../../bpf/burst.h")
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)enum ` + enum + ` \{(.*?)\n\};`).FindSubmatch(raw)
	if body == nil {
		t.Fatalf("there is no enum %s", enum)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*KG_[A-Z]+_(\w+)(?: = 0)?,`).FindAllSubmatch(body[1], -1) {
		names = append(names, string(m[1]))
	}
	return names
}

func TestNumbersAreThoseOfThePrograms(t *testing.T) {
	theirs := enumerators(t, "kg_waker")
	if len(theirs) != len(wakers) {
		t.Fatalf("%d wakers here, there %v", len(wakers), theirs)
	}
	for n, waker := range wakers {
		if !strings.EqualFold(theirs[n], string(waker)) {
			t.Errorf("waker %d is %s here and %s there", n, waker, theirs[n])
		}
	}
	if theirs = enumerators(t, "kg_language"); len(theirs) != len(languages) {
		t.Fatalf("%d languages here, there %v", len(languages), theirs)
	}
	for n, language := range languages {
		if !strings.EqualFold(theirs[n], cmp.Or(language, "none")) {
			t.Errorf("language %d is %s here and %s there", n, language, theirs[n])
		}
	}
}
