// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/kernel-gossip/kernel-gossip/hack/bench/document"
)

// tell prints the tables, and keeps them in a file, and in the documentation where
// that is asked for.
func tell(o options, r results) error {
	if len(r) == 0 {
		return errors.New("there are no results")
	}
	var out bytes.Buffer
	render(&out, r)
	if err := os.WriteFile(o.table, out.Bytes(), 0o644); err != nil { //nolint:gosec // it is to be read
		return fmt.Errorf("write the tables: %w", err)
	}
	if o.document != "" {
		if err := document.Publish(o.document, "bench", out.Bytes()); err != nil {
			return err
		}
	}
	_, err := os.Stdout.Write(out.Bytes())
	return err
}
