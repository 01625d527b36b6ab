// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	goyaml "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// EscapeControls writes the control characters and invisible marks that JSON allows as
// they are in its own way, so that no terminal obeys them and nothing is lost.
func EscapeControls(raw []byte) []byte {
	return rewrite(raw, func(out []byte, r rune) []byte {
		if high, low := utf16.EncodeRune(r); r > 0xffff {
			return fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		}
		return fmt.Appendf(out, "\\u%04x", r)
	})
}

// YAML is a JSON document as YAML, laid out as kubectl does. Texts with control
// characters or invisible marks are quoted, and those are escaped: no terminal obeys
// them, and nothing is lost.
func YAML(raw []byte) ([]byte, error) {
	// YAML's reader refuses some of what JSON's lets through, and does not join surrogates.
	readable := rewrite(raw, func(out []byte, r rune) []byte {
		if r > 0xffff {
			return utf8.AppendRune(out, r)
		}
		return fmt.Appendf(out, "\\u%04x", r)
	})
	out, err := yaml.JSONToYAML(readable)
	if err != nil || !anyHidden(string(out)) {
		return out, err
	}
	if out, err = quoteHidden(out); err != nil {
		return nil, err
	}
	return rewrite(out, func(out []byte, r rune) []byte {
		if r > 0xffff {
			return fmt.Appendf(out, "\\U%08x", r)
		}
		return fmt.Appendf(out, "\\u%04x", r)
	}), nil
}

// quoteHidden puts every text in which something is hidden in double quotes: only there
// has YAML escapes.
func quoteHidden(document []byte) ([]byte, error) {
	var top goyaml.Node
	if err := goyaml.Unmarshal(document, &top); err != nil {
		return nil, err
	}
	var visit func(n *goyaml.Node)
	visit = func(n *goyaml.Node) {
		if n.Kind == goyaml.ScalarNode && anyHidden(n.Value) {
			n.Style = goyaml.DoubleQuotedStyle
		}
		for _, inner := range n.Content {
			visit(inner)
		}
	}
	visit(&top)
	var out bytes.Buffer
	e := goyaml.NewEncoder(&out)
	e.SetIndent(2)
	e.CompactSeqIndent()
	if err := e.Encode(&top); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

// laidOut are the controls that lay a document out.
const laidOut = "\n\t"

func anyHidden(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return hidden(r) && !strings.ContainsRune(laidOut, r) })
}

// rewrite has each hidden character of a document written by another function.
func rewrite(raw []byte, write func(out []byte, r rune) []byte) []byte {
	out := make([]byte, 0, len(raw))
	for _, r := range string(raw) {
		if hidden(r) && !strings.ContainsRune(laidOut, r) {
			out = write(out, r)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}
