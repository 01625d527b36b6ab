// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestPictures(t *testing.T) {
	for name, c := range map[string]*v1alpha1.PodBirthCertificate{
		"web": certificate(t, "web"), "full": certificate(t, "full"), "many": certificate(t, "many"), "failed": certificate(t, "failed"),
		"bare": certificate(t, "bare"), "hostile": hostile(t),
	} {
		var out bytes.Buffer
		if err := SVG(&out, c); err != nil {
			t.Fatal(err)
		}
		checkXML(t, name, out.Bytes())
		if name != "web" {
			golden(t, "testdata/"+name+".svg.golden", out.Bytes())
		}
	}
}

// checkXML holds that a picture is well-formed, names nothing outside itself
// and has no element but those that it needs.
func checkXML(t *testing.T, name string, raw []byte) {
	t.Helper()
	if bytes.Contains(raw, []byte("var(")) {
		t.Errorf("%s: programs that know no variables paint it black", name)
	}
	allowed := map[string]bool{}
	for _, e := range strings.Fields("svg title desc style rect defs pattern text line g circle path") {
		allowed[e] = true
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e, ok := token.(xml.StartElement)
		if ok && !allowed[e.Name.Local] {
			t.Errorf("%s has <%s>", name, e.Name.Local)
		}
		for _, a := range e.Attr {
			if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("%s: %s=%q", name, a.Name.Local, a.Value)
			}
		}
	}
}
