// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"fmt"
	"path/filepath"
	"strings"
)

// onXen is true for a machine whose kernel is the first guest of Xen: QEMU's emulation
// tells a kernel of no stolen time, and Xen takes it and tells.
func (m machine) onXen() bool { return strings.HasSuffix(m.suite, "-xen") }

// commandLineOnXen is the room of a guest's command line (MAX_GUEST_CMDLINE).
const commandLineOnXen = 1024

// dom0 is what a guest of Xen is told otherwise: its console is Xen's, the machine's first
// serial port. Its clock is Xen's, by which time is stolen: Xen corrects what it measured
// of the TSC as it started, which on a busy machine has been wrong by ten times.
const dom0 = " console=hvc0 kg.console=hvc0 kg.tests=ttyS1 clocksource=xen"

// underXen starts the kernel as Xen's first guest, with virtual processors that share one.
// A guest has no more than the machine's firmware tells of, so the machine has as many, of
// which Xen starts the first.
//
// Registers of vectors are saved at each switch (eager-fpu): where Xen leaves that to the
// first use, programs die under QEMU 7.2. The rest is what an emulator pays for only.
func (m machine) underXen(words string, b boot) []string {
	xen := fmt.Sprintf("console=com1 com1=115200,8n1 maxcpus=1 dom0_max_vcpus=%d dom0_mem=512M spec-ctrl=no,eager-fpu xpti=0 bootscrub=0", m.cpus)
	return []string{
		"-m", "768", "-kernel", filepath.Join(filepath.Dir(m.file), "xen"), "-append", xen,
		// Files that Xen is handed: the kernel with its words, and the image.
		"-initrd", m.file + " " + strings.ReplaceAll(words, ",", ",,") + "," + m.image(b.work),
	}
}
