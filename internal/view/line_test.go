// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 12: "12", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
}

// What was not heard is not told as none.
func TestUnheard(t *testing.T) {
	c := &v1alpha1.PodBirthCertificate{}
	c.Namespace, c.Spec.PodRef.Name, c.Spec.Outcome, c.Spec.Duration, c.Spec.Coverage.AttributedPercent = "shop", "web", v1alpha1.OutcomeReady, "1.02s", "100.0"
	if got, want := CertificateLine(c), "birth    shop/web  Ready in 1.02s  syscalls not heard  100.0% heard"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var out strings.Builder
	if err := Birth(&out, c, Terminal{Width: 120}, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "not heard") || strings.Contains(out.String(), "system calls  0") {
		t.Errorf("%s", out.String())
	}
	w := &v1alpha1.KernelWhisper{}
	w.Spec.Missing = []string{"whom it hurt"}
	out.Reset()
	if err := Whisper(&out, w, Terminal{Width: 120}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "not heard      whom it hurt") {
		t.Errorf("%s", out.String())
	}
}
