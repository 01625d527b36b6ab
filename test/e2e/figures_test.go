// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// figuresFile is where the measured figures stay after a run.
const figuresFile = "../../build/e2e-figures.txt"

// figures are what the tests measured.
type figures struct {
	mu   sync.Mutex
	rows [][2]string
}

// add notes a figure and logs it.
func (f *figures) add(t *testing.T, name, format string, args ...any) {
	t.Helper()
	value := fmt.Sprintf(format, args...)
	t.Logf("%s: %s", name, value)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, [2]string{name, value})
}

// write prints the figures and keeps them in a file.
func (f *figures) write() error {
	if len(f.rows) == 0 {
		return nil
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "FIGURE\tMEASURED")
	for _, row := range f.rows {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Print(text.String())
	if err := os.MkdirAll(filepath.Dir(figuresFile), 0o755); err != nil {
		return fmt.Errorf("keep the figures: %w", err)
	}
	if err := os.WriteFile(figuresFile, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("keep the figures: %w", err)
	}
	return nil
}
