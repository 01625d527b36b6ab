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
)

// file writes one for a test.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Wrong use and garbage give one line each, and no terminal obeys it.
func TestBadInputGivesOneLine(t *testing.T) {
	const begin = `{"at":1,"wall":"2026-01-01T00:00:00Z"}` + "\n"
	garbage := file(t, "garbage", "\x00\x1b[31mnot: [yaml\n")
	for name, tt := range map[string]struct {
		args []string
		env  string
		code int
		says string
	}{
		"unknown flag":       {[]string{"--nope"}, "", exitUsage, "unknown flag: --nope; see kernel-observer --help"},
		"an argument":        {[]string{"start"}, "", exitUsage, `unknown command "start"`},
		"address":            {[]string{"--listen=9464"}, "", exitUsage, "--listen=9464: use HOST:PORT or :PORT"},
		"two faults":         {[]string{"--without=x"}, "a lot", exitUsage, "is no share of a core"},
		"hostile value":      {[]string{"--output=\x1b[31m\n"}, "", exitUsage, "use one of"},
		"garbage as cluster": {[]string{"--cluster=on", "--kubeconfig=" + garbage}, "", exitFailure, "kubeconfig"},
		"no cluster":         {[]string{"--cluster=on", "--kubeconfig=/nonexistent"}, "", exitFailure, "kubeconfig"},
		"garbage as replay":  {[]string{"--replay=" + garbage}, "", exitFailure, "line 1 is not of a recording"},
		"garbage as gzip":    {[]string{"--replay=" + file(t, "a.gz", "this is no gzip")}, "", exitFailure, "gzip: invalid header"},
		"empty replay":       {[]string{"--replay=" + file(t, "empty", "")}, "", exitFailure, "does not begin a recording"},
		"replay of a folder": {[]string{"--replay=" + t.TempDir()}, "", exitFailure, "is a directory"},
		"an endless silence": {[]string{"--replay=" + file(t, "silent", begin+`{"at":18446744073709551615}`)}, "", exitFailure, "line 2 is not of this recording"},
		"time goes back":     {[]string{"--replay=" + file(t, "back", begin+`{"at":0}`)}, "", exitFailure, "line 2 is not of this recording"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", "")
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			t.Setenv("CPU_BUDGET", tt.env)
			var errs bytes.Buffer
			code := execute(t.Context(), tt.args, &errs)
			said := strings.TrimSuffix(errs.String(), "\n")
			if code != tt.code || !strings.Contains(said, tt.says) || strings.ContainsAny(said, "\n\x1b") {
				t.Errorf("exit code %d: %q", code, said)
			}
		})
	}
}

// A replay ends when it is told to, also within days of silence.
func TestReplayEndsWhenTold(t *testing.T) {
	recording := file(t, "long", `{"at":1,"wall":"2026-01-01T00:00:00Z"}`+"\n"+`{"at":500000000000000}`+"\n"+
		`{"at":1000000000000000}`+"\n"+`{"at":1500000000000000}`+"\n"+`{"at":2000000000000000}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var errs bytes.Buffer
	if code := execute(ctx, []string{"--replay=" + recording, "--node-name=node1"}, &errs); code != exitFailure || !strings.Contains(errs.String(), "replay: context deadline exceeded") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}
