// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/kernel-gossip/kernel-gossip/internal/attribution"
	"github.com/kernel-gossip/kernel-gossip/internal/cpu"
	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// What texts add, at most or as measured, in bytes.
const (
	eventText   = 128      // a file name (KG_FILENAME_LEN); the path of a cgroup may have 512
	entryText   = 320      // a pod's and a container's path, and its places in two maps
	objectBytes = 16 << 10 // a certificate, as it is sent
	whisperMax  = 8 << 10
	levelsMany  = 3 // container, pod, and one above
	// containersMany are those of 250 pods.
	containersMany = 500
)

// kept is something that the observer keeps, and what bounds it: a constant of the
// code, so that the page follows it.
type kept struct {
	what, file, constant string
	each                 uintptr
	text                 uintptr
}

var keptThings = []kept{
	{"events that wait for a name", "internal/attribution/ledger.go", "waitingMax", unsafe.Sizeof(event.Event{}) + 8, eventText},
	{"events of pods of which it is not known yet whether they are being born", "internal/observer/held.go", "heldMaxAll", unsafe.Sizeof(attribution.Attributed{}), eventText},
	{"events of perf buffers that wait to be put in order (before Linux 5.8)", "internal/probe/perf.go", "heldMax", unsafe.Sizeof(event.Event{}), eventText},
	{"numbers of events that got none", "internal/attribution/tally.go", "droppedMax", 8, 0},
	{"cgroups that were released, for 5 min", "internal/cgroup/dictionary.go", "releasedMax", 96, entryText},
	{"times at which threads of births left their CPUs", "internal/birth/tracks.go", "departuresMax", 32, 0},
	{"ended episodes that still take a change", "internal/cpu/config.go", "EndedMax", whisperMax, 0},
	{"objects that wait for the API server", "internal/sink/kube/kube.go", "waitingMax", objectBytes, 0},
}

// constantOf reads a number out of the source: NAME = 512 * 1024, or NAME: 256.
func constantOf(t *testing.T, file, name string) uint64 {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\s*(?:const )?` + name + `\s*[=:]\s*([0-9_ *]+)`).FindSubmatch(raw)
	if found == nil {
		t.Fatalf("%s has no constant %s", file, name)
	}
	product := uint64(1)
	for _, factor := range strings.Split(string(found[1]), "*") {
		n, err := strconv.ParseUint(strings.ReplaceAll(strings.TrimSpace(factor), "_", ""), 10, 64)
		if err != nil {
			t.Fatalf("%s in %s: %v", name, file, err)
		}
		product *= n
	}
	return product
}

// tableOfGo is the table of what the observer keeps in its own memory.
func tableOfGo(t *testing.T) string {
	var out strings.Builder
	out.WriteString("| kept in the observer's own memory | bound | bytes each | at the bound |\n|---|---|---|---|\n")
	var all uint64
	row := func(what, bound string, n uint64, each uintptr) {
		all += n * uint64(each)
		fmt.Fprintf(&out, "| %s | %s | %d | %s |\n", what, bound, each, mib(n*uint64(each)))
	}
	// As many batches wait as have been taken and are filled again; one is filled, one taken.
	batches := 2*constantOf(t, "internal/observer/batches.go", "backlog") + 2
	batch := constantOf(t, "internal/observer/batches.go", "batchMax")
	row("events between the ring's reader and the engine, in batches",
		fmt.Sprintf("%d × %d (`backlog` twice, and `batchMax`, in `internal/observer/batches.go`)", batches, batch), batches*batch, unsafe.Sizeof(event.Event{})+eventText)
	for _, k := range keptThings {
		n := constantOf(t, k.file, k.constant)
		row(k.what, fmt.Sprintf("%d (`%s` in `%s`)", n, k.constant, k.file), n, k.each+k.text)
	}
	bursts := constantOf(t, "internal/observer/leanin.go", "const BurstsMax")
	row("bursts of two recordings", fmt.Sprintf("2 × %d (`BurstsMax` in `internal/observer/leanin.go`, and a quarter)", bursts*5/4), 2*bursts*5/4, unsafe.Sizeof(event.Burst{}))
	samples := uint64(17) // one a second for 15 s, and both ends
	sample := unsafe.Sizeof(cpu.Sample{}) + levelsMany*unsafe.Sizeof(cpu.Level{})
	row(fmt.Sprintf("samples of %d limited containers, %d levels each", containersMany, levelsMany), fmt.Sprintf("%d each", samples), containersMany*samples, sample)
	birth := constantOf(t, "internal/birth/bounds.go", "eventsMax")
	row(fmt.Sprintf("events of births that are under way, of one at most %d", birth),
		fmt.Sprintf("%d (`eventsMaxAll` in `internal/birth/bounds.go`)", constantOf(t, "internal/birth/bounds.go", "eventsMaxAll")),
		constantOf(t, "internal/birth/bounds.go", "eventsMaxAll"), unsafe.Sizeof(attribution.Attributed{})+eventText)
	fmt.Fprintf(&out, "| all | | | **%s** |\n", mib(all))
	return out.String()
}
