// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kernel-gossip/kernel-gossip/internal/event"
)

// store writes a recording.
func store(file string, r event.Recording) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("keep a recording: %w", err)
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("keep a recording: %w", err)
	}
	z := gzip.NewWriter(f)
	if err := errors.Join(json.NewEncoder(z).Encode(r), z.Close(), f.Close()); err != nil {
		return fmt.Errorf("keep a recording: %w", err)
	}
	return nil
}
