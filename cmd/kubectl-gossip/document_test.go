// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"
)

// said is output that is looked at while it is written.
type said struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// secondPage is true for a request that goes on where another ended.
func secondPage(r *http.Request) bool { return r.URL.Query().Get("continue") != "" }

// Of a big cluster no more than a page is held: it is written before the next is asked for.
func TestADocumentIsWrittenAPageAtATime(t *testing.T) {
	for args, names := range map[string][]string{
		"births -o json":                      {"quick-12345678", "slow-12345678"},
		"births -o yaml":                      {"quick-12345678", "slow-12345678"},
		"whispers -o json":                    {"over-12345678", "lasting-12345678"},
		"whispers -o yaml":                    {"over-12345678", "lasting-12345678"},
		"births -o json --sort-by=duration":   {"", "slow-12345678", "quick-12345678"},
		"births -o yaml --sort-by=duration":   {"", "slow-12345678", "quick-12345678"},
		"whispers -o json --sort-by=severity": {"", "lasting-12345678", "over-12345678"},
	} {
		var out said
		before := ""
		kubeconfig := clusterThat(t, func(r *http.Request) bool {
			if secondPage(r) {
				before = out.String()
			}
			return true
		})
		if code, errs := runTo(t, &out, kubeconfig, args); code != 0 || errs != "" {
			t.Errorf("%s: exit code %d: %s", args, code, errs)
		}
		if sorted := names[0] == ""; sorted != (before == "") || !strings.Contains(before, names[0]) {
			t.Errorf("%s: before the second page was asked for:\n%s", args, before)
		}
		if strings.Contains(args, "json") {
			var laidOut bytes.Buffer
			if err := json.Indent(&laidOut, []byte(out.String()), "", "  "); err != nil || laidOut.String() != out.String() {
				t.Errorf("%s: %v:\n%s", args, err, out.String())
			}
		}
		want := strings.Fields(strings.Join(names, " "))
		if got := namesOf(t, out.String()); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v, want %v", args, got, want)
		}
	}
}

// Half a list must not be taken for a whole one.
func TestAListThatBreaksOffIsNoDocument(t *testing.T) {
	kubeconfig := clusterThat(t, func(r *http.Request) bool { return !secondPage(r) })
	var out said
	code, errs := runTo(t, &out, kubeconfig, "births -o json")
	if code != 1 || strings.Count(errs, "\n") != 1 || out.String() == "" || json.Valid([]byte(out.String())) {
		t.Errorf("exit code %d, %q, output:\n%s", code, errs, out.String())
	}
	var yamlOut said
	code, errs = runTo(t, &yamlOut, kubeconfig, "births -o yaml")
	var list metav1.PartialObjectMetadataList
	if err := yaml.Unmarshal([]byte(yamlOut.String()), &list); code != 1 || err != nil || len(list.Items) != 1 || list.Kind != "" {
		t.Errorf("exit code %d, %q, %v, output:\n%s", code, errs, err, yamlOut.String())
	}
}

func runTo(t *testing.T, out *said, kubeconfig, args string) (code int, errs string) {
	t.Helper()
	var errOut bytes.Buffer
	streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: &errOut}
	code = execute(t.Context(), append(strings.Fields(args), "--kubeconfig="+kubeconfig), streams)
	return code, errOut.String()
}

// namesOf reads a list and fails unless it says of what it is one.
func namesOf(t *testing.T, document string) (names []string) {
	t.Helper()
	var list metav1.PartialObjectMetadataList
	if err := yaml.Unmarshal([]byte(document), &list); err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
	for _, item := range list.Items {
		if item.Kind+"List" != list.Kind || item.APIVersion != list.APIVersion {
			t.Errorf("kinds of\n%s", document)
		}
		names = append(names, item.Name)
	}
	return names
}
