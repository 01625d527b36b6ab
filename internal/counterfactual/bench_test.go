// SPDX-License-Identifier: Apache-2.0

package counterfactual

import (
	"path/filepath"
	"testing"
)

// BenchmarkReplay is what the observer pays for one recording.
func BenchmarkReplay(b *testing.B) {
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) == 0 {
		b.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		r := readRecorded(b, file).Recording
		b.Run(filepath.Base(file), func(b *testing.B) {
			for b.Loop() {
				Replay(r, Config{})
			}
		})
	}
}
