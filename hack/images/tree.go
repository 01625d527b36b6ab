// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
)

// entry is one file, directory or symbolic link; everything belongs to root.
type entry struct {
	mode   int64
	data   []byte
	target string
	kind   byte
}

// tree is the content of a layer by path, without a leading slash.
type tree map[string]entry

func (t tree) directory(at string, mode int64) {
	t[at] = entry{kind: tar.TypeDir, mode: mode}
}

func (t tree) file(at string, mode int64, data []byte) {
	t[at] = entry{kind: tar.TypeReg, mode: mode, data: data}
}

func (t tree) link(at, target string) {
	t[at] = entry{kind: tar.TypeSymlink, mode: 0o777, target: target}
}

// executable takes a program or a library of this machine, following symbolic links.
func (t tree) executable(at, source string) error {
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	t.file(at, 0o755, data)
	return nil
}

// archive writes the tree in the order of its paths, parents first.
func (t tree) archive(to io.Writer) error {
	all := maps.Clone(t)
	for at := range t {
		for parent := path.Dir(at); parent != "."; parent = path.Dir(parent) {
			if _, given := all[parent]; !given {
				all.directory(parent, 0o755)
			}
		}
	}
	writer := tar.NewWriter(to)
	for _, at := range slices.Sorted(maps.Keys(all)) {
		if err := all[at].write(writer, at); err != nil {
			return fmt.Errorf("layer entry %s: %w", at, err)
		}
	}
	if err := writer.Close(); err != nil {
		return fmt.Errorf("layer: %w", err)
	}
	return nil
}

func (e entry) write(to *tar.Writer, at string) error {
	header := &tar.Header{
		Name: at, Mode: e.mode, Typeflag: e.kind, Linkname: e.target,
		Size: int64(len(e.data)), Format: tar.FormatPAX,
	}
	if e.kind == tar.TypeDir {
		header.Name += "/"
	}
	if err := to.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(to, bytes.NewReader(e.data))
	return err
}
