// SPDX-License-Identifier: Apache-2.0

package browser_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// drawn is a picture as the browser has drawn it; boxes are in pixels.
type drawn struct {
	Fault string
	Back  string
	Whole drawnBox
	Texts []drawnBox
}

type drawnBox struct {
	Text, Fill               string
	Left, Top, Right, Bottom float64
	Shown                    bool
}

// overlap is how much of two boxes lies upon each other at most without a letter upon
// another: boxes of texts have room above and below their letters.
const overlap = 3

func TestAPictureInABrowser(t *testing.T) {
	for _, name := range certificates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := certificate(t, name)
			var file bytes.Buffer
			if err := view.SVG(&file, c); err != nil {
				t.Fatal(err)
			}
			pages := http.NewServeMux()
			pages.HandleFunc("/birth.svg", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "image/svg+xml")
				_, _ = w.Write(file.Bytes())
			})
			pages.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/picture.html") })
			var got drawn
			see(t, pages, &got)
			if got.Fault != "" {
				t.Fatal(got.Fault)
			}
			checkTexts(t, &got)
			for _, p := range c.Spec.Phases {
				if !got.says(string(p.Name)) {
					t.Errorf("no text tells of %s", p.Name)
				}
			}
		})
	}
}

// checkTexts holds that all texts lie in the picture, that none lies upon another, and
// that each has another color than what is behind it.
func checkTexts(t *testing.T, got *drawn) {
	t.Helper()
	for i, a := range got.Texts {
		if a.Right-a.Left < 1 || !a.Shown || a.Fill == got.Back {
			t.Errorf("%q is not to be seen: %+v on %s", a.Text, a, got.Back)
		}
		if a.Left < got.Whole.Left || a.Right > got.Whole.Right || a.Top < got.Whole.Top || a.Bottom > got.Whole.Bottom {
			t.Errorf("%q lies outside of the picture: %+v in %+v", a.Text, a, got.Whole)
		}
		for _, b := range got.Texts[:i] {
			if min(a.Right, b.Right)-max(a.Left, b.Left) > overlap && min(a.Bottom, b.Bottom)-max(a.Top, b.Top) > overlap {
				t.Errorf("%q lies upon %q", a.Text, b.Text)
			}
		}
	}
}

func (d *drawn) says(what string) bool {
	for _, text := range d.Texts {
		if strings.Contains(text.Text, what) {
			return true
		}
	}
	return false
}
