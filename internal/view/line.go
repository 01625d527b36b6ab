// SPDX-License-Identifier: Apache-2.0

// Package view renders the two resources for people.
package view

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

// Number writes an integer with its thousands apart.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := len(s) % 3
	if n < 0 {
		start = (len(s)-1)%3 + 1
	}
	var b strings.Builder
	b.WriteString(s[:start])
	for i := start; i < len(s); i += 3 {
		if b.Len() > 0 && s[:i] != "-" {
			b.WriteByte(',')
		}
		b.WriteString(s[i : i+3])
	}
	return b.String()
}

// Millicores writes CPU as Kubernetes does.
func Millicores(m int64) string { return strconv.FormatInt(m, 10) + "m" }

// counted writes a count of system calls. No birth goes without any: 0 says that
// they were not heard.
func counted(n int64) string {
	if n == 0 {
		return "-"
	}
	return Number(n)
}

// CertificateLine tells a birth in one line.
func CertificateLine(c *v1alpha1.PodBirthCertificate) string {
	c = cleaned(c)
	s := c.Spec
	calls := "syscalls not heard"
	if n := s.KernelStats.TotalSyscalls; n > 0 {
		calls = fmt.Sprintf("%s syscalls (%s)", Number(n), strings.Join(syscallsByActor(s.KernelStats.Actors), ", "))
	}
	line := fmt.Sprintf("birth    %s/%s  %s in %s  %s  %s%% heard",
		c.Namespace, s.PodRef.Name, s.Outcome, s.Duration, calls, s.Coverage.AttributedPercent)
	if s.Failure != nil {
		line += "  failed at " + Failure(s.Failure)
	}
	return line
}

func syscallsByActor(actors []v1alpha1.ActorStats) []string {
	sums := map[string]int64{}
	for _, a := range actors {
		name := string(a.Actor)
		if a.Actor == v1alpha1.ActorWorkload && a.Container == v1alpha1.SandboxContainer {
			name = "sandbox"
		}
		sums[strings.ToLower(name)] += a.Syscalls
	}
	var out []string
	for _, name := range []string{"runtime", "cni", "sandbox", "workload"} {
		if sums[name] > 0 {
			out = append(out, fmt.Sprintf("%s %s", name, Number(sums[name])))
		}
	}
	return out
}

// Failure tells where a birth died, and of what.
func Failure(f *v1alpha1.BirthFailure) string {
	out := placeOf(f)
	for _, fact := range facts(f) {
		out += " " + fact
	}
	if f.File != "" {
		out += " " + f.File
	}
	if f.Message != "" {
		out += ": " + strings.Join(strings.Fields(f.Message), " ")
	}
	return Clean(out)
}
