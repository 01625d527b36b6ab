// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
	"github.com/kernel-gossip/kernel-gossip/internal/view"
)

// cluster answers as an API server would that has two births and two whispers, and returns the
// path of a kubeconfig for it.
func cluster(t *testing.T) string {
	t.Helper()
	return clusterThat(t, func(*http.Request) bool { return true })
}

// clusterThat answers only what it is allowed to.
func clusterThat(t *testing.T, allowed func(*http.Request) bool) string {
	t.Helper()
	var births v1alpha1.PodBirthCertificateList
	for i, name := range []string{"quick", "slow"} {
		c := v1alpha1.PodBirthCertificate{}
		c.Name, c.Namespace, c.ManagedFields = name+"-12345678", "default", []metav1.ManagedFieldsEntry{{Manager: "somebody"}}
		c.Spec.PodRef.Name, c.Spec.Outcome, c.Spec.Duration = name, v1alpha1.OutcomeReady, "1s"
		c.Spec.NodeName = "node\u009b1\u202e"
		c.Spec.KernelStats.DurationMicroseconds = int64(1_000_000 * (i + 1))
		c.Spec.Phases = []v1alpha1.Phase{{Name: "Network", DurationMicroseconds: 1000, CriticalMicroseconds: 1000}}
		births.Items = append(births.Items, c)
	}
	var whispers v1alpha1.KernelWhisperList
	for i, name := range []string{"over", "lasting"} {
		w := v1alpha1.KernelWhisper{}
		w.Name, w.Namespace, w.ManagedFields = name+"-12345678", "default", []metav1.ManagedFieldsEntry{{Manager: "somebody"}}
		w.Spec.PodRef.Name, w.Spec.NodeName, w.Spec.StartTime = name, "node\u009b1\u202e", metav1.NewMicroTime(time.Unix(int64(i), 0))
		if name == "over" {
			w.Spec.EndTime = &w.Spec.StartTime
		}
		whispers.Items = append(whispers.Items, w)
	}
	known := map[string]any{
		"/api":                                 metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}},
		"/apis":                                metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{group()}},
		"/apis/" + v1alpha1.GroupVersion.Group: group(),
		"/apis/" + v1alpha1.GroupVersion.String(): metav1.APIResourceList{GroupVersion: v1alpha1.GroupVersion.String(), APIResources: []metav1.APIResource{
			{Name: "podbirthcertificates", Namespaced: true, Kind: "PodBirthCertificate"}, {Name: "kernelwhispers", Namespaced: true, Kind: "KernelWhisper"}}},
		"/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/default/podbirthcertificates": births,
		"/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/default/kernelwhispers":       whispers,
		"/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/empty/podbirthcertificates":   v1alpha1.PodBirthCertificateList{},
		"/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/empty/kernelwhispers":         v1alpha1.KernelWhisperList{},
		"/apis/" + v1alpha1.GroupVersion.String() + "/kernelwhispers":                          v1alpha1.KernelWhisperList{},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := known[r.URL.Path]
		if !ok || !allowed(r) {
			http.NotFound(w, r)
			return
		}
		switch all := answer.(type) { // a page has one object
		case v1alpha1.PodBirthCertificateList:
			all.Items, all.Continue = onePage(t, r, all.Items)
			answer = all
		case v1alpha1.KernelWhisperList:
			all.Items, all.Continue = onePage(t, r, all.Items)
			answer = all
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: %q}}],
		contexts: [{name: x, context: {cluster: c}}], current-context: x}`, server.URL)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// onePage is what a request gets of a list, and where the next one begins. Nobody
// asks for all at once.
func onePage[T any](t *testing.T, r *http.Request, all []T) (page []T, next string) {
	t.Helper()
	if r.URL.Query().Get("limit") != "500" {
		t.Errorf("%s is not asked for in pages", r.URL)
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue")) // none: the first
	if len(all) == 0 {
		return nil, ""
	}
	if from+1 < len(all) {
		next = strconv.Itoa(from + 1)
	}
	return all[from : from+1], next
}

func group() metav1.APIGroup {
	v := metav1.GroupVersionForDiscovery{GroupVersion: v1alpha1.GroupVersion.String(), Version: v1alpha1.GroupVersion.Version}
	return metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: v1alpha1.GroupVersion.Group, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v}
}

func TestFormats(t *testing.T) {
	kubeconfig := cluster(t)
	run := func(args string) string {
		t.Helper()
		var out, errs bytes.Buffer
		streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errs}
		if code := execute(t.Context(), append(strings.Fields(args), "--kubeconfig="+kubeconfig), streams); code != 0 {
			t.Fatalf("%s: exit code %d: %s", args, code, errs.String())
		}
		return out.String()
	}
	for args, begins := range map[string]string{
		"births":                            "POD ",
		"birth slow":                        "birth of       default/slow\n",
		"birth slow --timeline":             "birth of       default/slow\n",
		"birth slow --blame":                "birth of       default/slow\n",
		"birth slow --critical-path":        "birth of       default/slow\n",
		"birth slow --color=always":         "\x1b[2mbirth of",
		"birth slow -o svg":                 "<svg ",
		"birth slow -o perfetto":            "{\n \"traceEvents\"",
		"birth slow -o yaml":                "apiVersion: kernel-gossip.io/v1alpha1\nkind: PodBirthCertificate\n",
		"whispers":                          "POD ",
		"whispers --active --sort-by=stall": "POD ",
		"whispers -o yaml":                  "apiVersion: kernel-gossip.io/v1alpha1\nitems:\n- apiVersion: kernel-gossip.io/v1alpha1\n  kind: KernelWhisper\n",
		"explain over":                      "whisper        default/over, container",
		"explain over-12345678 -o yaml":     "apiVersion: kernel-gossip.io/v1alpha1\nkind: KernelWhisper\n",
		"births --sort-by=duration -o yaml": "apiVersion: kernel-gossip.io/v1alpha1\nitems:\n- apiVersion: kernel-gossip.io/v1alpha1\n  kind: PodBirthCertificate\n",
	} {
		out := run(args)
		if !strings.HasPrefix(out, begins) {
			t.Errorf("%s begins with %.60q, want %q", args, out, begins)
		}
		if strings.ContainsAny(out, "\u009b\u202e") || strings.Contains(out, "managedFields") {
			t.Errorf("%s: %s", args, out)
		}
	}
	if all, active := run("whispers"), run("whispers --active"); !strings.Contains(all, "over") || strings.Contains(active, "over") || !strings.Contains(active, "lasting") {
		t.Errorf("all:\n%s\nactive:\n%s", all, active)
	}
	var list v1alpha1.PodBirthCertificateList
	raw := run("births --sort-by=duration -o json")
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 2 || list.Items[0].Spec.PodRef.Name != "slow" || list.Kind != "PodBirthCertificateList" || list.Items[0].Kind != "PodBirthCertificate" {
		t.Errorf("json: %s", raw)
	}
	if strings.ContainsAny(raw, "\u009b\u202e") || list.Items[0].Spec.NodeName != "node\u009b1\u202e" {
		t.Errorf("controls are not escaped, or are lost: %s", raw)
	}
	var c v1alpha1.PodBirthCertificate
	if err := yaml.UnmarshalStrict([]byte(run("birth quick -o yaml")), &c); err != nil || c.Spec.PodRef.Name != "quick" {
		t.Errorf("yaml: %v %+v", err, c)
	}
}

func TestNothingFound(t *testing.T) {
	kubeconfig := cluster(t)
	for args, want := range map[string]struct{ out, says string }{
		"births -n empty":            {"", "No births found in empty namespace.\n"},
		"whispers -n empty":          {"", "No whispers found in empty namespace.\n"},
		"whispers -n empty --active": {"", "No active whispers found in empty namespace.\n"},
		"whispers -A":                {"", "No whispers found.\n"},
		"whispers -n empty -o json": {"{\n  \"kind\": \"KernelWhisperList\",\n  \"apiVersion\": \"kernel-gossip.io/v1alpha1\",\n" +
			"  \"metadata\": {},\n  \"items\": []\n}\n", ""},
		"births -n empty -o yaml": {"apiVersion: kernel-gossip.io/v1alpha1\nitems: []\nkind: PodBirthCertificateList\nmetadata: {}\n", ""},
	} {
		var out, errs bytes.Buffer
		streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errs}
		if code := execute(t.Context(), append(strings.Fields(args), "--kubeconfig="+kubeconfig), streams); code != 0 || out.String() != want.out || errs.String() != want.says {
			t.Errorf("%s: exit code %d, %q, %q", args, code, out.String(), errs.String())
		}
	}
}

func TestTerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		color    string
		columns  int
		terminal bool
		env      map[string]string
		want     view.Terminal
	}{
		"terminal":             {"auto", 120, true, nil, view.Terminal{Width: 120, Color: true}},
		"terminal without":     {"never", 120, true, nil, view.Terminal{Width: 120}},
		"NO_COLOR":             {"auto", 120, true, map[string]string{"NO_COLOR": "1"}, view.Terminal{Width: 120}},
		"empty NO_COLOR":       {"auto", 120, true, map[string]string{"NO_COLOR": ""}, view.Terminal{Width: 120, Color: true}},
		"always over NO_COLOR": {"always", 120, true, map[string]string{"NO_COLOR": "1"}, view.Terminal{Width: 120, Color: true}},
		"dumb":                 {"auto", 80, true, map[string]string{"TERM": "dumb"}, view.Terminal{Width: 80}},
		"own width":            {"auto", 120, true, map[string]string{"COLUMNS": "70"}, view.Terminal{Width: 120, Color: true}},
		"pipe":                 {"auto", 0, false, nil, view.Terminal{}},
		"pipe with COLUMNS":    {"auto", 0, false, map[string]string{"COLUMNS": "70"}, view.Terminal{Width: 70}},
		"pipe with nonsense":   {"auto", 0, false, map[string]string{"COLUMNS": "-7"}, view.Terminal{}},
		"pipe with colors":     {"always", 0, false, nil, view.Terminal{Color: true}},
	} {
		g := gossip{color: tt.color, size: func() (int, bool) { return tt.columns, tt.terminal }, getenv: func(k string) string { return tt.env[k] }}
		if got := g.terminal(); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
