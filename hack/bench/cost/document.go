// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// Markers of the document, between which the tables stand.
const (
	markBegin = "<!-- cost: written by make bench FLAGS=-write -->"
	markEnd   = "<!-- cost: end -->"
)

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
		raw, err := os.ReadFile(o.document)
		if err != nil {
			return fmt.Errorf("write the tables: %w", err)
		}
		if raw, err = between(raw, out.Bytes()); err != nil {
			return fmt.Errorf("%s: %w", o.document, err)
		}
		if err := os.WriteFile(o.document, raw, 0o644); err != nil { //nolint:gosec // it is to be read
			return fmt.Errorf("write the tables: %w", err)
		}
	}
	_, err := os.Stdout.Write(out.Bytes())
	return err
}

// between puts tables between the markers of a document.
func between(document, tables []byte) ([]byte, error) {
	before, rest, okA := bytes.Cut(document, []byte(markBegin))
	_, after, okB := bytes.Cut(rest, []byte(markEnd))
	if !okA || !okB {
		return nil, errors.New("it has no markers for the tables")
	}
	return bytes.Join([][]byte{before, []byte(markBegin + "\n\n"), tables, []byte("\n" + markEnd), after}, nil), nil
}
