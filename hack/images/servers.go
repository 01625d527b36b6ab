// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The servers below are those of docs/reference/births.md beside nginx: real ones
// of Debian, each with what it needs to start and nothing else. The packages of
// one are unpacked into one directory.

// server is a tree with a program and the libraries that it is linked to.
func server(root, program string) (tree, error) {
	content := tree{}
	source := filepath.Join(root, program)
	if err := content.executable(program, source); err != nil {
		return nil, fmt.Errorf("binary: %w", err)
	}
	var directories []string
	for _, form := range []string{"usr/lib", "lib"} {
		found, err := filepath.Glob(filepath.Join(root, form, "*-linux-gnu"))
		if err != nil {
			return nil, err
		}
		directories = append(directories, found...)
	}
	libraries, err := linked(source, directories...)
	if err != nil {
		return nil, err
	}
	for _, library := range libraries {
		at := strings.TrimPrefix(strings.TrimPrefix(library, root), "/")
		if err := content.executable(at, library); err != nil {
			return nil, fmt.Errorf("library: %w", err)
		}
	}
	people(content)
	content.file("etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n"))
	content.directory("run", 0o755)
	return content, nil
}

func redis(from sources) (recipe, error) {
	content, err := server(filepath.Join(from.packages, "redis"), "usr/bin/redis-check-rdb")
	if err != nil {
		return recipe{}, err
	}
	// One program, which looks at the name that it is called by.
	content.link("usr/bin/redis-server", "redis-check-rdb")
	return recipe{content, v1.Config{
		Entrypoint:   []string{"/usr/bin/redis-server", "--save", "", "--dir", "/tmp"},
		Env:          searchPath,
		ExposedPorts: map[string]struct{}{"6379/tcp": {}},
	}}, nil
}

//go:embed apache.conf
var apacheConf []byte

func apache(from sources) (recipe, error) {
	root := filepath.Join(from.packages, "apache")
	content, err := server(root, "usr/sbin/apache2")
	if err != nil {
		return recipe{}, err
	}
	for _, module := range []string{"mpm_event", "authz_core", "dir"} {
		at := "usr/lib/apache2/modules/mod_" + module + ".so"
		if err := content.executable(at, filepath.Join(root, at)); err != nil {
			return recipe{}, fmt.Errorf("module: %w", err)
		}
	}
	content.file("etc/apache2/apache2.conf", 0o644, apacheConf)
	content.file("srv/index.html", 0o644, []byte("<!doctype html>\n<title>apache</title>\n"))
	return recipe{content, v1.Config{
		Entrypoint:   []string{"/usr/sbin/apache2", "-DFOREGROUND"},
		Env:          searchPath,
		ExposedPorts: map[string]struct{}{"80/tcp": {}},
		StopSignal:   "SIGWINCH",
	}}, nil
}

// python serves files with the module of its own library.
func python(from sources) (recipe, error) {
	root := filepath.Join(from.packages, "python")
	content, err := server(root, "usr/bin/python3.11")
	if err != nil {
		return recipe{}, err
	}
	modules := filepath.Join(root, "usr/lib/python3.11")
	err = filepath.WalkDir(modules, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content.file(strings.TrimPrefix(path, root+"/"), 0o644, data)
		return nil
	})
	if err != nil {
		return recipe{}, fmt.Errorf("modules: %w", err)
	}
	content.file("srv/index.html", 0o644, []byte("<!doctype html>\n<title>python</title>\n"))
	return recipe{content, v1.Config{
		Entrypoint:   []string{"/usr/bin/python3.11", "-m", "http.server", "8000", "--directory", "/srv"},
		Env:          searchPath,
		ExposedPorts: map[string]struct{}{"8000/tcp": {}},
	}}, nil
}
