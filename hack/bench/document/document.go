// SPDX-License-Identifier: Apache-2.0

// Package document puts the tables of a measurement into a page of the documentation,
// between two markers.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// Begin and End are the markers of a make target's tables, each a line.
func Begin(target string) string { return "<!-- begin: make " + target + " -->\n" }

// End is where the tables end.
func End(target string) string { return "<!-- end: make " + target + " -->\n" }

// Replace puts tables between the markers of a page.
func Replace(page []byte, target string, tables []byte) ([]byte, error) {
	begin, end := []byte(Begin(target)), []byte(End(target))
	before, rest, ok := bytes.Cut(page, begin)
	_, after, found := bytes.Cut(rest, end)
	if !ok || !found {
		return nil, errors.New("the document lacks the markers around the table")
	}
	return bytes.Join([][]byte{before, begin, tables, end, after}, nil), nil
}

// Publish writes tables into a file's page.
func Publish(file, target string, tables []byte) error {
	page, err := os.ReadFile(file)
	if err == nil {
		page, err = Replace(page, target, tables)
	}
	if err == nil {
		err = os.WriteFile(file, page, 0o644) //nolint:gosec // it is to be read
	}
	if err != nil {
		return fmt.Errorf("put the table into %s: %w", file, err)
	}
	return nil
}
