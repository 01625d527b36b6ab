// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kernel-gossip/kernel-gossip/api/v1alpha1"
)

func TestWrongUse(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "kubeconfig")
	const config = `{apiVersion: v1, kind: Config, clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}],
		contexts: [{name: x, context: {cluster: c}}], current-context: x}`
	if err := os.WriteFile(nowhere, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	kubeconfig := cluster(t)
	for name, tt := range map[string]struct {
		args string
		code int
		says string
	}{
		"unknown command":    {"frob", exitUsage, `unknown command "frob"`},
		"no pod":             {"birth", exitUsage, "accepts 1 arg(s), received 0"},
		"two pods":           {"birth a b", exitUsage, "accepts 1 arg(s), received 2"},
		"unknown order":      {"births --sort-by=colour", exitUsage, "use duration, syscalls, wait or age"},
		"unknown format":     {"birth a -o svgz", exitUsage, "use text, yaml, json, svg or perfetto"},
		"picture of many":    {"births -o svg", exitUsage, "use text, yaml or json"},
		"unknown color":      {"births --color=blue", exitUsage, "use auto, always or never"},
		"two sections":       {"birth a --blame --critical-path", exitUsage, "--blame and --critical-path: use one of them"},
		"section of a file":  {"birth a --blame -o svg", exitUsage, "does not go with --output=svg"},
		"timeline of json":   {"birth a --timeline -o json", exitUsage, "does not go with --output=json"},
		"hostile value":      {"birth a -o \x1b[31m", exitUsage, "--output=[31m:"},
		"order of births":    {"whispers --sort-by=syscalls", exitUsage, "use severity, stall, throttled or age"},
		"order of whispers":  {"births --sort-by=stall", exitUsage, "use duration, syscalls, wait or age"},
		"nobody to ask":      {"apply w", exitUsage, "use --yes to apply, or --dry-run=server to see the change"},
		"no amount":          {"apply w --yes --limit=much", exitUsage, "use an amount of CPU such as 750m or 1.5"},
		"no limit":           {"apply w --yes --limit=0", exitUsage, "use an amount of CPU above 0"},
		"dry run of client":  {"apply w --dry-run=client", exitUsage, "use none or server"},
		"no time":            {"apply w --yes --timeout=0s", exitUsage, "use a time above 0"},
		"no cluster":         {"births", exitFailure, "no cluster: set KUBECONFIG to a kubeconfig that exists, or pass --kubeconfig"},
		"nor for doctor":     {"doctor", exitFailure, "no cluster: set KUBECONFIG to a kubeconfig that exists, or pass --kubeconfig"},
		"server by its flag": {"births --server=http://127.0.0.1:1", exitFailure, "connection refused"},
		"no such birth":      {"birth other --kubeconfig=" + kubeconfig, exitFailure, `no birth certificate of pod "other" in default namespace: `},
		"no such whisper":    {"explain other --kubeconfig=" + kubeconfig, exitFailure, `no whisper "other" in default namespace, and none of a pod of that name; `},
		"dead cluster":       {"births --kubeconfig=" + nowhere, exitFailure, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			streams := genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errs}
			code := execute(context.Background(), strings.Fields(tt.args), streams)
			text := strings.TrimSpace(errs.String())
			if code != tt.code || !strings.Contains(text, tt.says) || strings.Contains(text, "\n") {
				t.Errorf("exit code %d, %q", code, text)
			}
		})
	}
}

func TestTheLastOneOfSeveralIsMeant(t *testing.T) {
	at := func(s int) metav1.MicroTime { return metav1.NewMicroTime(time.Unix(int64(s), 0)) }
	births := make([]v1alpha1.PodBirthCertificate, 3)
	whispers := make([]v1alpha1.KernelWhisper, 3)
	for i, start := range []int{2, 3, 1} {
		births[i].Spec.PodRef.Name, births[i].Spec.Origin.Time = "web", at(start)
		whispers[i].Spec.PodRef.Name, whispers[i].Spec.StartTime = "web", at(start)
	}
	whispers[2].Name = "by-name"
	if lastBirth(nil, births, "web") != &births[1] || lastBirth(nil, births, "other") != nil || lastBirth(&births[1], births[2:], "web") != &births[1] {
		t.Error("births")
	}
	if lastWhisper(nil, whispers, "web") != &whispers[1] || lastWhisper(nil, whispers, "by-name") != &whispers[2] || lastWhisper(nil, whispers, "other") != nil ||
		lastWhisper(&whispers[2], whispers[:2], "by-name") != &whispers[2] {
		t.Error("whispers")
	}
}
