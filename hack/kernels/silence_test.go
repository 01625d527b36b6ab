// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"strings"
	"testing"
	"time"
)

// lines is a writer whose lines can be waited for.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// wait for a line with this end; one of before may come first.
func (l lines) wait(t *testing.T, end string) {
	t.Helper()
	for late := time.After(10 * time.Second); ; {
		select {
		case line := <-l:
			if strings.HasPrefix(line, "linux-1.0/cgroup-v2: has said nothing for ") && strings.HasSuffix(line, end) {
				return
			}
		case <-late:
			t.Fatalf("nothing was told with %q", end)
		}
	}
}

// A machine that hangs says which test it is in, as long as it does.
func TestAMachineThatSaysNothing(t *testing.T) {
	said := make(lines, 1000)
	w := (&watch{machine: "linux-1.0/cgroup-v2", after: time.Millisecond, to: said}).begin()
	defer w.end()
	said.wait(t, " s, and is in no test\n")
	w.heard("TestCutOff")
	said.wait(t, " s, and is in TestCutOff\n")
	said.wait(t, " s, and is in TestCutOff\n")
}

// Of tests that did not end, the one under way is told from those that were not reached.
func TestWhoWasUnderWay(t *testing.T) {
	o := hear(t, good+cutOff+"\nit hangs\n\x16FAIL\n", "TestGood", "TestCutOff", "TestLater")
	r, events := row{}, &strings.Builder{}
	if err := r.tell(o, events); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"TestCutOff was under way when the machine ended", "TestLater was not begun"} {
		if strings.Count(events.String(), want) != 1 {
			t.Errorf("%q is not said once:\n%s", want, events)
		}
	}
}
