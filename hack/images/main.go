// SPDX-License-Identifier: Apache-2.0

// Command images writes the project's container images as docker archives,
// without a Docker daemon. The same input gives the same bytes: no times, no
// owners and no order of this machine get into a layer.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// The registry is localhost on purpose: an image that was not imported is then
// looked for on the node itself, and never at a stranger's.
const repository = "localhost/kernel-gossip/"

func main() {
	var from sources
	flag.StringVar(&from.binaries, "bin", "build/bin", "directory of the project's static binaries")
	flag.StringVar(&from.packages, "packages", "", "directory of the unpacked Debian packages, one subdirectory each")
	out := flag.String("out", "build/images", "directory to write NAME.tar to")
	tag := flag.String("tag", "dev", "tag of the images")
	flag.Usage = func() {
		_, _ = fmt.Fprintf(flag.CommandLine.Output(), "usage: images [flags] NAME...\nNAME is one of: %s\n", strings.Join(names(), ", "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(from, *out, *tag, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func names() []string {
	var all []string
	for image := range catalogue {
		all = append(all, image)
	}
	slices.Sort(all)
	return all
}

func run(from sources, out, tag string, images []string) error {
	if len(images) == 0 {
		return fmt.Errorf("no image named; choose from: %s", strings.Join(names(), ", "))
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("output directory: %w", err)
	}
	for _, image := range images {
		if err := write(from, out, tag, image); err != nil {
			return fmt.Errorf("image %s: %w", image, err)
		}
	}
	return nil
}

// write replaces the archive in one step, so that a reader never meets half of one.
func write(from sources, out, tag, image string) error {
	describe, known := catalogue[image]
	if !known {
		return fmt.Errorf("unknown; choose from: %s", strings.Join(names(), ", "))
	}
	recipe, err := describe(from)
	if err != nil {
		return err
	}
	built, err := recipe.build()
	if err != nil {
		return err
	}
	reference, err := name.NewTag(repository + image + ":" + tag)
	if err != nil {
		return fmt.Errorf("image name: %w", err)
	}
	path := filepath.Join(out, image+".tar")
	if err := tarball.WriteToFile(path+".part", reference, built); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	digest, err := built.Digest()
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	fmt.Printf("%s  %s  %s\n", path, reference.Name(), digest)
	return nil
}
