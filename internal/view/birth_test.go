// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestBirth(t *testing.T) {
	for name, tt := range map[string]struct {
		file     string
		terminal Terminal
		timeline bool
	}{
		"recorded-piped":  {"web", Terminal{}, true},
		"full-60":         {"full", Terminal{Width: 60}, false},
		"full-100-color":  {"full", Terminal{Width: 100, Color: true}, true},
		"full-160":        {"full", Terminal{Width: 160}, true},
		"failed-100":      {"failed", Terminal{Width: 100}, false},
		"many-120":        {"many", Terminal{Width: 120}, false},
		"bare-80":         {"bare", Terminal{Width: 80}, true},
		"hostile-80":      {"", Terminal{Width: 80}, true},
		"hostile-unbound": {"", Terminal{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := hostile(t)
			if tt.file != "" {
				c = certificate(t, tt.file)
			}
			before := c.DeepCopy()
			var out bytes.Buffer
			if err := Birth(&out, c, tt.terminal, tt.timeline); err != nil {
				t.Fatal(err)
			}
			if before.Spec.PodRef.Name != c.Spec.PodRef.Name {
				t.Error("the certificate itself was changed")
			}
			checkLines(t, out.String(), tt.terminal)
			golden(t, "testdata/birth-"+name+".golden", out.Bytes())
		})
	}
}

// checkLines holds that no line is wider than the terminal, and that nothing
// but the allowed sequences reaches it.
func checkLines(t *testing.T, out string, terminal Terminal) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		bare := sgr(line, "")
		if !terminal.Color && bare != line {
			t.Errorf("a color where there is none: %q", line)
		}
		if n := cells(bare); terminal.Width > 0 && n > terminal.Width {
			t.Errorf("%d columns: %q", n, line)
		}
		if i := strings.IndexFunc(bare, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl) }); i >= 0 {
			t.Errorf("a control character at %d: %q", i, bare)
		}
		if bare != strings.TrimRight(bare, " ") {
			t.Errorf("blanks at the end: %q", line)
		}
	}
}

// sgr replaces the sequences that set colors.
func sgr(s, with string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		digits := strings.TrimLeft(after, "0123456789;")
		if !strings.HasPrefix(digits, "m") {
			b.WriteString("\x1b[")
			s = after
			continue
		}
		b.WriteString(with)
		s = digits[1:]
	}
}

func TestColorsAddNothingButColors(t *testing.T) {
	for _, file := range []string{"web", "full", "many", "failed", "bare"} {
		var color, bare bytes.Buffer
		if err := errors.Join(Birth(&color, certificate(t, file), Terminal{Width: 90, Color: true}, true),
			Birth(&bare, certificate(t, file), Terminal{Width: 90}, true)); err != nil {
			t.Fatal(err)
		}
		if sgr(color.String(), "") != bare.String() {
			t.Errorf("%s differs in more than its colors", file)
		}
	}
}

func TestEveryWidthFits(t *testing.T) {
	all := []*v1alpha1.PodBirthCertificate{certificate(t, "full"), certificate(t, "many"), certificate(t, "failed"), certificate(t, "bare"), hostile(t)}
	for width := pictureWidthMin; width <= 210; width += 5 {
		for _, c := range all {
			terminal := Terminal{Width: width}
			var out bytes.Buffer
			if err := errors.Join(Birth(&out, c, terminal, true), Blame(&out, c, terminal), CriticalPath(&out, c, terminal),
				Births(&out, []v1alpha1.PodBirthCertificate{*c}, terminal, true, c.Spec.Origin.Time.Time)); err != nil {
				t.Fatal(err)
			}
			checkLines(t, out.String(), terminal)
		}
	}
}

func TestBlameAndCriticalPath(t *testing.T) {
	for _, file := range []string{"full", "many", "web", "failed", "bare"} {
		for width, name := range map[int]string{60: "60", 100: "100", 160: "160"} {
			if width != 100 && file != "full" {
				continue
			}
			c, terminal := certificate(t, file), Terminal{Width: width}
			var blame, path bytes.Buffer
			if err := errors.Join(Blame(&blame, c, terminal), CriticalPath(&path, c, terminal)); err != nil {
				t.Fatal(err)
			}
			checkLines(t, blame.String()+path.String(), terminal)
			golden(t, "testdata/blame-"+file+"-"+name+".golden", blame.Bytes())
			golden(t, "testdata/critical-"+file+"-"+name+".golden", path.Bytes())
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestAWriteThatFailsIsReported(t *testing.T) {
	c := certificate(t, "web")
	for name, err := range map[string]error{
		"birth": Birth(full{}, c, Terminal{}, true), "blame": Blame(full{}, c, Terminal{}), "critical path": CriticalPath(full{}, c, Terminal{}),
		"births": Births(full{}, []v1alpha1.PodBirthCertificate{*c}, Terminal{}, true, c.Spec.Origin.Time.Time),
	} {
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
