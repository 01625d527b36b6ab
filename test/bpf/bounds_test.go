// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

var updateBounds = flag.Bool("update-bounds", false, "write the table of maps in docs/architecture/0017-bounds.md anew")

const boundsPage = "../../docs/architecture/0017-bounds.md"

// object is what one object file makes: its maps are made once, whatever forms of
// the programs are loaded beside them.
type object struct{ name, file string }

var loadedObjects = []object{
	{"births, bandwidth", "../../internal/probe/observer_x86_bpfel.o"},
	{"bursts", "../../internal/probe/bursts/bursts_x86_bpfel.o"},
}

// mapsOf reads the maps of an object file, by name.
func mapsOf(t *testing.T, o object) map[string]*ebpf.MapSpec {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpec(o.file)
	if err != nil {
		t.Fatal(err)
	}
	return spec.Maps
}

const (
	pageSize = 4096
	// hashElement and hashBucket are what a hash table of the kernel has besides keys
	// and values (kernel/bpf/hashtab.c: struct htab_elem and struct bucket).
	hashElement, hashBucket = 48, 16
)

func eight(n uint32) uint64 { return uint64(n+7) &^ 7 }

// sizeOf is what a map takes with so many possible CPUs: the sum by which the kernel
// allocates it, all of it when it is made.
func sizeOf(m *ebpf.MapSpec, cpus int) uint64 {
	entries := uint64(m.MaxEntries)
	switch m.Type {
	case ebpf.RingBuf:
		return entries
	case ebpf.Hash:
		buckets := uint64(1) << bits.Len64(entries-1)
		return (entries+uint64(cpus))*(hashElement+eight(m.KeySize)+eight(m.ValueSize)) + buckets*hashBucket
	case ebpf.PerCPUArray:
		return entries * eight(m.ValueSize) * uint64(cpus)
	case ebpf.Array:
		return entries * eight(m.ValueSize)
	case ebpf.Queue: // kernel/bpf/queue_stack_maps.c queue_stack_map_alloc
		return (entries + 1) * uint64(m.ValueSize)
	}
	return 0
}

func mib(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 100<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// tableOfMaps is the table of the page.
func tableOfMaps(t *testing.T) string {
	var out strings.Builder
	out.WriteString("| map | of | type | entries | key + value, bytes | 2 CPUs | 256 CPUs |\n|---|---|---|---|---|---|---|\n")
	var few, many uint64
	for _, o := range loadedObjects {
		all := mapsOf(t, o)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			m := all[name]
			small, large := sizeOf(m, 2), sizeOf(m, 256)
			few, many = few+small, many+large
			if small == 0 {
				t.Errorf("no sum for the map %s of type %s", name, m.Type)
			}
			entries := fmt.Sprint(m.MaxEntries)
			if m.Type == ebpf.RingBuf {
				entries = "-"
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %d + %d | %s | %s |\n", name, o.name, m.Type, entries, m.KeySize, m.ValueSize, mib(small), mib(large))
		}
	}
	fmt.Fprintf(&out, "| all | | | | | **%s** | **%s** |\n", mib(few), mib(many))
	return out.String()
}

// The page's tables are what the code has: its numbers are held against it. They
// are written anew with -update-bounds.
func TestBounds(t *testing.T) {
	page, err := os.ReadFile(boundsPage)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the documentation is not in a virtual machine: it is held against the code by make test-bpf")
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string]string{"maps": tableOfMaps(t), "Go": tableOfGo(t)} {
		begin, end := fmt.Sprintf("<!-- %s -->\n", name), fmt.Sprintf("<!-- end of %s -->\n", name)
		before, rest, found := bytes.Cut(page, []byte(begin))
		old, after, closed := bytes.Cut(rest, []byte(end))
		switch {
		case !found || !closed:
			t.Fatalf("%s has no place for the table %s", boundsPage, name)
		case *updateBounds:
			page = slices.Concat(before, []byte(begin), []byte(table), []byte(end), after)
		case string(old) != table:
			t.Errorf("the table %s in %s is not what the code has (go test ./test/bpf -run 'Bounds$' -update-bounds):\n%s", name, boundsPage, table)
		}
	}
	if *updateBounds {
		if err := os.WriteFile(boundsPage, page, 0o644); err != nil { //nolint:gosec // a page of the documentation
			t.Fatal(err)
		}
	}
}

// What the kernel says that it has allocated for the maps is what the sums say.
func TestBoundsAgainstTheKernel(t *testing.T) {
	listen(t)
	ears(t)
	sums := map[string]uint64{}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range loadedObjects {
		if _, err := os.Stat(o.file); err != nil {
			t.Skip("the documentation is not in a virtual machine: it is held against the code by make test-bpf")
		}
		for name, m := range mapsOf(t, o) {
			sums[cut(name)] += sizeOf(m, cpus)
		}
	}
	allocated := ownMaps(t)
	if len(allocated) == 0 {
		t.Fatal("the kernel says of none of our maps what it has allocated")
	}
	exact := release(t) >= 6<<8+4 // before, the kernel tells a sum of its own
	var all uint64
	for _, name := range slices.Sorted(maps.Keys(allocated)) {
		got, want := allocated[name], sums[name]
		all += got
		t.Logf("%-16s %9d bytes by the kernel, %9d by the sum", name, got, want)
		if want == 0 {
			t.Errorf("%s has no sum", name)
			continue
		}
		if exact && got < want/10*9 {
			t.Errorf("%s takes %d bytes, the sum is %d", name, got, want)
		}
		// Its own header and the rounding to pages come on top: two pages for each CPU.
		if room := uint64(pageSize * (8 + 2*cpus)); got > want+want/10+room {
			t.Errorf("%s takes %d bytes, the sum is %d", name, got, want)
		}
	}
	t.Logf("together %.1f MiB", float64(all)/(1<<20))
}

// release is this kernel's version: the major one by 256, and the minor one.
func release(t *testing.T) (version int) {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major<<8 + minor
}

// cut is how the kernel cuts the name of a map.
func cut(name string) string {
	const kept = unix.BPF_OBJ_NAME_LEN - 1
	return name[:min(len(name), kept)]
}

// ownMaps are the bytes that the kernel has allocated for the maps of this process
// (memlock of their file descriptors), by name. Up to 6.3 it is a sum of its own.
func ownMaps(t *testing.T) map[string]uint64 {
	t.Helper()
	const files = "/proc/self/fd"
	all, err := os.ReadDir(files)
	if err != nil {
		t.Fatal(err)
	}
	sizes, seen := map[string]uint64{}, map[ebpf.MapID]bool{}
	for _, f := range all {
		if of, err := os.Readlink(filepath.Join(files, f.Name())); err != nil || of != "anon_inode:bpf-map" {
			continue
		}
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			continue // closed meanwhile
		}
		m, err := ebpf.NewMapFromFD(own)
		if err != nil {
			t.Fatal(err)
		}
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		id, _ := info.ID()
		size, known := info.Memlock()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if known && !seen[id] {
			sizes[info.Name] += size
		}
		seen[id] = true
	}
	return sizes
}
