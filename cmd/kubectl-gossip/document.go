// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// document is a list in JSON or YAML that is written while it is read: a big cluster has
// more objects than this program should hold. It is laid out as the whole list would be,
// and is no valid one before its end.
type document struct {
	out    io.Writer
	format string
	kind   string // of the items
	// kept are the items' texts where they are to be put in order first; nil where they
	// are written as they come.
	kept    map[types.NamespacedName][]byte
	written int
}

// document begins one; a sorted one is written at its end.
func (g *gossip) document(kind string, sorted bool) *document {
	d := &document{out: g.Out, format: g.output, kind: kind}
	if sorted {
		d.kept = map[types.NamespacedName][]byte{}
	}
	return d
}

// add writes an object, or keeps its text.
func (d *document) add(o client.Object) error {
	tidy(o, d.kind)
	text, err := d.encode(o)
	if err != nil {
		return fmt.Errorf("encode %s: %w", o.GetName(), err)
	}
	if d.kept != nil {
		d.kept[client.ObjectKeyFromObject(o)] = text
		return nil
	}
	return d.write(text)
}

// streams is true where nothing has to be kept of what was added.
func (d *document) streams() bool { return d.format != formatText && d.kept == nil }

// addAll adds a page to a document, if one was asked for.
func addAll[T any, O interface {
	*T
	client.Object
}](d *document, page []T) error {
	if d.format == formatText {
		return nil
	}
	for i := range page {
		if err := d.add(O(&page[i])); err != nil {
			return err
		}
	}
	return nil
}

// endAll ends a document; the objects whose texts were kept are written in the order
// in which they come.
func endAll[T any, O interface {
	*T
	client.Object
}](d *document, sorted []T) error {
	for i := range sorted {
		if err := d.write(d.kept[client.ObjectKeyFromObject(O(&sorted[i]))]); err != nil {
			return err
		}
	}
	return d.end()
}

func (d *document) write(item []byte) error {
	before := d.head() + "[\n    "
	switch {
	case d.format == formatYAML && d.written > 0:
		before = ""
	case d.format == formatYAML:
		before = d.head() + "\n"
	case d.written > 0:
		before = ",\n    "
	}
	d.written++
	_, err := d.out.Write(append([]byte(before), item...))
	return err
}

// encode is an item as it stands in its list.
func (d *document) encode(o client.Object) ([]byte, error) {
	if d.format == formatYAML {
		raw, err := json.Marshal([]client.Object{o})
		if err != nil {
			return nil, err
		}
		return view.YAML(raw)
	}
	raw, err := json.MarshalIndent(o, "    ", "  ")
	return view.EscapeControls(raw), err
}

// head is all that stands before the items.
func (d *document) head() string {
	if d.format == formatYAML {
		return fmt.Sprintf("apiVersion: %s\nitems:", v1alpha1.GroupVersion)
	}
	return fmt.Sprintf("{\n  \"kind\": \"%sList\",\n  \"apiVersion\": \"%s\",\n  \"metadata\": {},\n  \"items\": ", d.kind, v1alpha1.GroupVersion)
}

// end makes the list a valid one.
func (d *document) end() error {
	var end bytes.Buffer
	switch {
	case d.written == 0 && d.format == formatYAML:
		end.WriteString(d.head() + " []\n")
	case d.written == 0:
		end.WriteString(d.head() + "[]\n}\n")
	case d.format != formatYAML:
		end.WriteString("\n  ]\n}\n")
	}
	if d.format == formatYAML {
		fmt.Fprintf(&end, "kind: %sList\nmetadata: {}\n", d.kind)
	}
	_, err := d.out.Write(end.Bytes())
	return err
}
