// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// image writes the head of a kernel's image that tells such a version.
func image(t *testing.T, magic, version string) string {
	t.Helper()
	head := make([]byte, 0x1000)
	copy(head[0x202:], magic)
	binary.LittleEndian.PutUint16(head[0x20e:], 0x800)
	copy(head[0xa00:], version)
	file := filepath.Join(t.TempDir(), "bzImage")
	if err := os.WriteFile(file, head, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAKernelOfOnesOwn(t *testing.T) {
	file := image(t, "HdrS", "5.4.1 (somebody@somewhere) #1 SMP\x00")
	types := filepath.Join(t.TempDir(), "types.btf")
	if _, err := own(file, types); err == nil {
		t.Error("types that are not there are no fault")
	}
	if err := os.WriteFile(types, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	machines, err := own(file, types)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range machines {
		names = append(names, m.name())
		if m.file != file || m.types != types || m.foreign() {
			t.Errorf("%+v", m)
		}
	}
	if want := []string{"linux-5.4.1/cgroup-v2", "linux-5.4.1/cgroup-v1"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	for what, bad := range map[string]string{"another file": image(t, "ELF!", "5.4.1 "), "no version": image(t, "HdrS", "")} {
		if _, err := own(bad, ""); err == nil || !strings.Contains(err.Error(), "KG_KERNEL_IMAGE") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestOnlyWhatIsAskedFor(t *testing.T) {
	t.Setenv("KG_KERNELS_TESTS", "TestB,TestNone,"+twoCPUs[0])
	if run, _ := (machine{cpus: 1, whole: true}).tests([]string{"TestA", "TestB", twoCPUs[0]}); !slices.Equal(run, []string{"TestB"}) {
		t.Errorf("%v", run)
	}
}
