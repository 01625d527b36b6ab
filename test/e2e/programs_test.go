// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs are built once for all tests, in the way of the images, so that what was
// compiled for those is found.
type programs struct {
	directory string
	mu        sync.Mutex
	built     map[string]bool
}

func (p *programs) build(name string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	program := filepath.Join(p.directory, name)
	if p.built[name] {
		return program, nil
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "../../cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	if p.built == nil {
		p.built = map[string]bool{}
	}
	p.built[name] = true
	return program, nil
}

func (p *programs) remove() error { return os.RemoveAll(p.directory) }

// built is one of the programs of this repository.
func (f *fixture) built(t *testing.T, name string) string {
	t.Helper()
	program, err := f.programs.build(name)
	if err != nil {
		t.Fatal(err)
	}
	return program
}
