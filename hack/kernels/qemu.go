// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"path/filepath"
	"strconv"
)

// machine is one row of the matrix: a kernel and how its machine is.
type machine struct {
	suite, version, file string
	// types is a BTF file for a kernel that has none of its own; empty: it has.
	types string
	// v1 mounts the cpu controller as cgroup v1, beside an empty v2 hierarchy.
	v1 bool
	// cpus is how many processors it has. One is faster: two of them run in turn, and
	// what one of them waits for from the other comes when it is that one's turn.
	cpus int
	// whole machines run all tests, the others without those that say nothing about
	// their kernel (sameEverywhere).
	whole bool
}

func (m machine) cgroup() string {
	if m.v1 {
		return "v1"
	}
	return "v2"
}

// name is what stands for the package in events.
func (m machine) name() string {
	if m.onXen() {
		return "linux-" + m.version + "-on-xen/cgroup-" + m.cgroup()
	}
	return "linux-" + m.version + "/cgroup-" + m.cgroup()
}

// foreign is true for another architecture than that of the machines of a suite's own name.
func (m machine) foreign() bool { return m.architecture() == "arm64" }

func (m machine) architecture() string {
	const arm64 = "-arm64"
	if len(m.suite) > len(arm64) && m.suite[len(m.suite)-len(arm64):] == arm64 {
		return "arm64"
	}
	return "amd64"
}

// without are what an emulator pays more for than it gives: with ERMS kernels clear and
// copy pages byte by byte, with SMAP each look at user memory leaves the translated code,
// and protection keys flush the translations of addresses. QEMU 7.2 emulates cmpxchg16b
// wrongly (it changes flags), which kills kernels at random.
const without = ",la57=off,cx16=off,erms=off,smap=off,smep=off,umip=off,pku=off,mpx=off"

// lean keeps kernels from watching memory, or clearing it twice, for no test's sake.
const lean = " damon_stat.enabled=0 transparent_hugepage=never init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off"

// qemu is the command that runs the machine: its console goes to a file, what the
// tests say to standard output.
func (m machine) qemu(b boot) []string {
	arguments := append(m.hardware(b), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-smp", strconv.Itoa(m.cpus))
	words := "quiet panic=-1 mitigations=off audit=0 apparmor=0 cryptomgr.notests random.trust_cpu=on" + lean
	if m.v1 {
		words += " kg.cgroup=v1"
	} else {
		words += " cgroup_no_v1=all"
	}
	// A command line has room for 2 KiB: a machine that died early runs all once more.
	if b.run != "" && len(b.run) < 800 {
		words += " kg.run=" + b.run
	}
	if b.skip != "" {
		words += " kg.skip=" + b.skip
	}
	switch {
	case m.onXen():
		return append(arguments, m.underXen(words+dom0, b)...)
	case m.foreign():
		words += " console=ttyAMA0 kg.console=ttyAMA0 kg.tests=ttyS0"
		if b.examine {
			words += " kg.doctor=ttyS1"
		}
	default:
		words += " console=ttyS0 kg.console=ttyS0 kg.tests=ttyS1 tsc=reliable no_timer_check"
	}
	return append(arguments, "-kernel", m.file, "-initrd", m.image(b.work), "-append", words)
}

// hardware is what belongs to the architecture.
func (m machine) hardware(b boot) []string {
	if m.foreign() {
		arguments := []string{
			"qemu-system-aarch64", "-machine", "virt", "-accel", "tcg,thread=single", "-m", "1024",
			// Time is what the machine has executed, 8 ns an instruction, and leaps over what
			// it only waits for. By the clock on the wall, where this machine is slow or busy,
			// its timer interrupts so often that tests which hold whom a thread was woken by,
			// or how long it ran, hold the emulator's pauses instead.
			"-icount", "shift=3,sleep=off",
			// Without what is slow to emulate and the programs know nothing of: signed return
			// addresses (two thirds of the boot), vectors, wide addresses.
			"-cpu", "max,pauth=off,sve=off,sme=off,lpa2=off", "-serial", "file:" + b.console,
			"-chardev", "stdio,id=tests,signal=off", "-device", "pci-serial,chardev=tests",
		}
		if b.examine {
			report := "file,id=doctor,path=" + filepath.Join(b.work, "doctor-"+m.version)
			arguments = append(arguments, "-chardev", report, "-device", "pci-serial,chardev=doctor")
		}
		return arguments
	}
	return []string{
		"qemu-system-x86_64",
		// Processors in turn, in one thread: in two threads QEMU does not keep up
		// with a kernel that changes its own code (static branches), which then dies
		// or hangs.
		"-machine", "pc,hpet=off", "-accel", "tcg,thread=single", "-m", "512",
		"-cpu", "max" + without, "-serial", "file:" + b.console, "-serial", "stdio",
	}
}
