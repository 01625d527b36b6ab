// SPDX-License-Identifier: Apache-2.0

package view

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// What a file's name or the message of another can hold.
var hiding = map[string]string{
	"colour":             "a\x1b[31mred",
	"one byte's escape":  "a\u009b31mred",
	"delete":             "a\u007f",
	"next line":          "a\u0085b",
	"carriage return":    "a\rb",
	"right to left":      "moc.live\u202e",
	"isolate":            "\u2066a\u2069",
	"zero width":         "a\u200bb",
	"byte order mark":    "\ufeffa",
	"line separator":     "a\u2028b\u2029c",
	"tag":                "a\U000e0041",
	"private":            "\ue000",
	"quotes":             "it's \u202e\"\\u202e\" \\ ",
	"long":               strings.Repeat("word ", 60) + "\u202e" + strings.Repeat(" word", 60),
	"several lines":      "one\n\ttwo\u202e\n",
	"looks like a truth": "true",
}

func TestDocumentsHideNothingAndLoseNothing(t *testing.T) {
	for name, s := range hiding {
		want := map[string]any{"items": []any{map[string]any{"text": s, "plain": "on", "lines": "one\ntwo\n", "number": 1.0}}}
		raw, err := json.MarshalIndent(want, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		asYAML, err := YAML(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for format, document := range map[string][]byte{"JSON": EscapeControls(raw), "YAML": asYAML} {
			if anyHidden(string(document)) {
				t.Errorf("%s: %s hides something: %q", name, format, document)
			}
			var got any
			if err := yaml.Unmarshal(document, &got); format == "YAML" && err != nil {
				t.Errorf("%s: %v in %q", name, err, document)
			}
			if format == "JSON" {
				if err := json.Unmarshal(document, &got); err != nil {
					t.Errorf("%s: %v in %q", name, err, document)
				}
			}
			if back, _ := json.MarshalIndent(got, "", "  "); string(back) != string(raw) {
				t.Errorf("%s: %s lost something:\n%q\n%q", name, format, back, raw)
			}
		}
	}
}

func TestHarmlessDocumentsAreLaidOutAsByKubectl(t *testing.T) {
	raw := []byte(`{"b": ["` + strings.Repeat("word ", 40) + `"], "a": {"on": "yes", "lines": "one\ntwo\n"}}`)
	want, err := yaml.JSONToYAML(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := YAML(raw); err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}
