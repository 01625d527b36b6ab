// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// sources tells where the files of an image come from.
type sources struct {
	binaries string // the project's static binaries
	packages string // unpacked Debian packages
}

// The user of the operator; any number does that is not root's.
const unprivileged = "65532:65532"

var searchPath = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}

var catalogue = map[string]func(sources) (recipe, error){
	"pause":           func(from sources) (recipe, error) { return static(from, "pause", unprivileged) },
	"load":            func(from sources) (recipe, error) { return static(from, "load", unprivileged) },
	"kernel-observer": func(from sources) (recipe, error) { return static(from, "kernel-observer", "0:0") },
	"operator":        func(from sources) (recipe, error) { return static(from, "operator", unprivileged) },
	"busybox":         busybox,
	"nginx":           nginx,
	"redis":           redis,
	"apache":          apache,
	"python":          python,
}

// static is an image of one binary that needs nothing else.
func static(from sources, binary, user string) (recipe, error) {
	content := tree{}
	if err := content.executable(binary, filepath.Join(from.binaries, binary)); err != nil {
		return recipe{}, fmt.Errorf("binary: %w", err)
	}
	content.directory("tmp", 0o1777)
	return recipe{content, v1.Config{Entrypoint: []string{"/" + binary}, User: user}}, nil
}

// busybox is Debian's static build with a link for each of its commands.
func busybox(from sources) (recipe, error) {
	source := filepath.Join(from.packages, "busybox-static", "bin", "busybox")
	applets, err := exec.Command(source, "--list").Output()
	if err != nil {
		return recipe{}, fmt.Errorf("list the commands of %s: %w", source, err)
	}
	content := tree{}
	if err := content.executable("bin/busybox", source); err != nil {
		return recipe{}, fmt.Errorf("binary: %w", err)
	}
	for _, applet := range strings.Fields(string(applets)) {
		if applet != "busybox" {
			content.link("bin/"+applet, "busybox")
		}
	}
	people(content)
	return recipe{content, v1.Config{Cmd: []string{"sh"}, Env: searchPath}}, nil
}

//go:embed nginx.conf
var nginxConf []byte

// nginx is Debian's server with the libraries that it is linked to and nothing else.
func nginx(from sources) (recipe, error) {
	program := filepath.Join(from.packages, "nginx", "usr", "sbin", "nginx")
	content := tree{}
	if err := content.executable("usr/sbin/nginx", program); err != nil {
		return recipe{}, fmt.Errorf("binary: %w", err)
	}
	libraries, err := linked(program)
	if err != nil {
		return recipe{}, err
	}
	for _, library := range libraries {
		if err := content.executable(strings.TrimPrefix(library, "/"), library); err != nil {
			return recipe{}, fmt.Errorf("library: %w", err)
		}
	}
	content.file("etc/nginx/nginx.conf", 0o644, nginxConf)
	content.file("usr/share/nginx/html/index.html", 0o644, []byte("<!doctype html>\n<title>nginx</title>\n<p>It works.</p>\n"))
	content.directory("var/lib/nginx", 0o755)
	content.directory("var/log/nginx", 0o755)
	content.directory("run", 0o755)
	people(content)
	return recipe{content, v1.Config{
		Entrypoint:   []string{"/usr/sbin/nginx", "-g", "daemon off;"},
		Env:          searchPath,
		ExposedPorts: map[string]struct{}{"80/tcp": {}},
		StopSignal:   "SIGQUIT",
	}}, nil
}

// linked returns the shared libraries of a program, the loader among them: those
// of the given directories first, then those of this machine.
func linked(program string, directories ...string) ([]string, error) {
	ldd := exec.Command("ldd", program)
	ldd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(directories, ":"))
	out, err := ldd.Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", program, err)
	}
	var libraries []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "not found") {
			return nil, fmt.Errorf("library %s: not installed on this machine", strings.Fields(line)[0])
		}
		for _, word := range strings.Fields(line) {
			if filepath.IsAbs(word) {
				libraries = append(libraries, word)
				break
			}
		}
	}
	return libraries, nil
}

// people adds the users that programs look up, and a place for temporary files.
func people(content tree) {
	content.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/:/bin/sh\nwww-data:x:33:33:www-data:/:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n"))
	content.file("etc/group", 0o644, []byte("root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n"))
	content.directory("tmp", 0o1777)
}
