// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadInputGivesOneLine(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(broken, []byte("not: [yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"unknown flag", []string{"--nope"}, 2, "operator: unknown flag: --nope; see operator --help\n"},
		{"bad duration", []string{"--whisper-age=soon"}, 2, `operator: invalid argument "soon" for "--whisper-age" flag: `},
		{"an argument", []string{"start"}, 2, `operator: unexpected argument "start"; see operator --help` + "\n"},
		{"negative age", []string{"--certificate-age=-1h"}, 2, "operator: certificate age is -1h0m0s: it has to be positive; see operator --help\n"},
		{"no workers", []string{"--workers=0"}, 2, "operator: workers is 0: at least 1 is needed; see operator --help\n"},
		{"target that nothing meets", []string{"--target-throttled-percent=0"}, 2, "operator: target of throttled periods is 0 %: it has to be above 0 and at most 100; see operator --help\n"},
		{"steps that do not step", []string{"--auto-resize-max-factor=1"}, 2, "operator: maximum factor of a resize is 1: it has to be between 1.1 and 100; see operator --help\n"},
		{"no address", []string{"--metrics-address=nonsense"}, 2, "operator: metrics address is \"nonsense\": use HOST:PORT, :PORT or 0; see operator --help\n"},
		{"unknown log level", []string{"--log-level=loud"}, 2, `operator: log level "loud": use debug, info, warn or error; see operator --help` + "\n"},
		{"unknown log format", []string{"--log-format=xml"}, 2, `operator: log format "xml": use text or json; see operator --help` + "\n"},
		{"no cluster", nil, 1, "operator: no Kubernetes cluster: set KUBECONFIG, pass --kubeconfig, or run inside a pod\n"},
		{"no such kubeconfig", []string{"--kubeconfig=/nonexistent/config"}, 1, "operator: load kubeconfig: stat /nonexistent/config: no such file or directory\n"},
		{"broken kubeconfig", []string{"--kubeconfig=" + broken}, 1, "operator: load kubeconfig: "},
		{"unreachable API server", []string{"--kubeconfig=" + unreachable(t), "--startup-timeout=10ms"}, 1,
			"operator: after 10ms: API server http://127.0.0.1:1 does not answer, check KUBECONFIG and the network: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", "")
			t.Setenv("HOME", t.TempDir())
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), tt.args, &stdout, &stderr)
			last := lastLine(stderr.String())
			if code != tt.code || !strings.HasPrefix(last, tt.want) {
				t.Errorf("exit %d: %q\nwant %d: %q", code, last, tt.code, tt.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("standard output: %q", stdout.String())
			}
		})
	}
}

// lastLine leaves out the log before the error.
func lastLine(s string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")
	return lines[len(lines)-1] + "\n"
}

func unreachable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(kubeconfigOf("http://127.0.0.1:1")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfigOf names an API server without credentials.
func kubeconfigOf(url string) string {
	return `apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "` + url + `"}}]
users: [{name: u, user: {}}]
`
}

// With client-go's default of 5 requests a second the verdicts on a cluster's births
// would come minutes late.
func TestTheClientHasNoRate(t *testing.T) {
	config, err := clusterConfig(unreachable(t))
	if err != nil || config.QPS >= 0 {
		t.Errorf("%v, %+v", err, config)
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "--retention-interval") {
		t.Errorf("exit %d, output %q", code, stdout.String())
	}
}
