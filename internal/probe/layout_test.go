// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
	"github.com/kernel-gossip/kernel-gossip/internal/syscalls"
)

// header reads what the programs share with this package. The layouts of structs need no
// test: the Go types are made from the objects' own type information.
func header(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile("../../bpf/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// enumerators are the names of an enum by their values, which follow one another.
func enumerators(t *testing.T, text, enum string) map[int]string {
	t.Helper()
	body := regexp.MustCompile(`(?s)enum ` + enum + ` \{(.*?)\n\};`).FindStringSubmatch(text)
	if body == nil {
		t.Fatalf("there is no enum %s", enum)
	}
	names, next := map[int]string{}, 0
	for _, m := range regexp.MustCompile(`(?m)^\s*(KG_\w+)(?: = (\d+))?,`).FindAllStringSubmatch(body[1], -1) {
		if m[2] != "" {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				t.Fatal(err)
			}
			next = n
		}
		names[next] = m[1]
		next++
	}
	return names
}

// defined is the number that a macro stands for.
func defined(t *testing.T, text, name string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^#define ` + name + ` (\d+)$`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("there is no %s", name)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sameName(c, prefix, ours string) bool {
	return strings.EqualFold(strings.ReplaceAll(strings.TrimPrefix(c, prefix), "_", ""), ours)
}

func TestKindsAreThoseOfThePrograms(t *testing.T) {
	theirs := enumerators(t, header(t, "gossip.h"), "kg_kind")
	otherwise := map[string]event.Kind{"KG_OOM": event.OutOfMemory, "KG_STRETCH": event.OffCPU, "KG_NETDEV": event.NetDevice}
	if theirs[len(kinds)] != "KG_KINDS" || len(theirs) != len(kinds) {
		t.Errorf("%d kinds here, there %v", len(kinds)-1, theirs)
	}
	for n, kind := range kinds {
		if c := theirs[n]; n > 0 && otherwise[c] != kind && !sameName(c, "KG_", string(kind)) {
			t.Errorf("%d is %s here and %s there", n, kind, c)
		}
	}
}

func TestRolesAreThoseOfThePrograms(t *testing.T) {
	theirs := enumerators(t, header(t, "gossip.h"), "kg_role")
	if len(theirs) != len(roleNames)-1 {
		t.Errorf("%d roles here, there %v", len(roleNames)-1, theirs)
	}
	for n, role := range roleNames {
		if c := theirs[n]; n > 0 && !sameName(c, "KG_ROLE_", string(role)) {
			t.Errorf("%d is %s here and %s there", n, role, c)
		}
	}
	for n, want := range map[int]string{actorOwn: "KG_ACTOR_OWN", actorWorkload: "KG_ACTOR_WORKLOAD"} {
		if c := enumerators(t, header(t, "gossip.h"), "kg_actor")[n]; c != want {
			t.Errorf("actor %d is %s, want %s", n, c, want)
		}
	}
	for n, want := range map[int]string{
		stretchRunnable: "RUNNABLE", stretchIOWait: "IOWAIT", stretchUninterruptible: "UNINTERRUPTIBLE", stretchLast: "LAST",
	} {
		if c := enumerators(t, header(t, "gossip.h"), "kg_stretch_state")[n]; c != "KG_STRETCH_"+want {
			t.Errorf("state %d is %s, want %s", n, c, want)
		}
	}
}

func TestBoundsAreThoseOfThePrograms(t *testing.T) {
	text := header(t, "gossip.h") + header(t, "syscall.h")
	for name, ours := range map[string]int{
		"KG_WORKLOAD_EVENTS": event.ExecsMax, "KG_STRETCHES_OWN": event.StretchesMaxOwn,
		"KG_STRETCHES_WORKLOAD": event.StretchesMaxWorkload, "KG_STRETCHES_SHIM": event.StretchesMaxShim,
		"KG_BASENAME_LEN": basenameLen, "KG_NR_COMPAT": syscalls.Compat,
	} {
		if theirs := defined(t, text, name); theirs != ours {
			t.Errorf("%s is %d, here %d", name, theirs, ours)
		}
	}
	if n := len(observerKgSession{}.Syscalls); n != syscalls.Compat+1 {
		t.Errorf("%d numbers are counted", n)
	}
}
