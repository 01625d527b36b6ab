// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"strings"
	"testing"
)

const (
	uid      = "0b3f5b7c-1e0f-4c57-9c6e-3d0d6b0a7a11"
	systemdU = "0b3f5b7c_1e0f_4c57_9c6e_3d0d6b0a7a11"
)

var id = strings.Repeat("0123456789abcdef", 4)

func TestParsePath(t *testing.T) {
	tests := map[string]struct {
		path string
		want Place
	}{
		"root":                            {"/", Place{}},
		"system service":                  {"/system.slice/ssh.service", Place{}},
		"qos class":                       {"/kubepods/burstable", Place{}},
		"pod, cgroupfs":                   {"/kubepods/burstable/pod" + uid, Place{PodUID: uid}},
		"guaranteed pod, cgroupfs":        {"/kubepods/pod" + uid, Place{PodUID: uid}},
		"pod under an own root":           {"/kernel-gossip/kubepods/besteffort/pod" + uid, Place{PodUID: uid}},
		"container, cgroupfs":             {"/kubepods/burstable/pod" + uid + "/" + id, Place{PodUID: uid, ContainerID: id}},
		"below a container":               {"/kubepods/burstable/pod" + uid + "/" + id + "/init.scope", Place{PodUID: uid, ContainerID: id, Below: true}},
		"pod, systemd":                    {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + systemdU + ".slice", Place{PodUID: uid}},
		"guaranteed pod, systemd":         {"/kubepods.slice/kubepods-pod" + systemdU + ".slice", Place{PodUID: uid}},
		"containerd, systemd":             {"/kubepods.slice/kubepods-pod" + systemdU + ".slice/cri-containerd-" + id + ".scope", Place{PodUID: uid, ContainerID: id}},
		"CRI-O, systemd":                  {"/kubepods.slice/kubepods-pod" + systemdU + ".slice/crio-" + id + ".scope", Place{PodUID: uid, ContainerID: id}},
		"CRI-O's monitor":                 {"/kubepods.slice/kubepods-pod" + systemdU + ".slice/crio-conmon-" + id + ".scope", Place{}},
		"cri-dockerd, systemd":            {"/kubepods.slice/kubepods-pod" + systemdU + ".slice/docker-" + id + ".scope", Place{PodUID: uid, ContainerID: id}},
		"static pod":                      {"/kubepods/burstable/pod" + id[:32], Place{PodUID: id[:32]}},
		"kind, nested":                    {"/docker/" + id + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + systemdU + ".slice/cri-containerd-" + id + ".scope", Place{PodUID: uid, ContainerID: id}},
		"a pod inside a pod":              {"/kubepods/pod" + strings.ReplaceAll(uid, "0", "1") + "/" + id + "/kubepods/pod" + uid, Place{PodUID: uid}},
		"looks like a pod but is not":     {"/podman/pod-of-whales", Place{}},
		"name for systemd as a directory": {"/system.slice/containerd.service/kubepods-burstable-pod" + systemdU + ".slice:cri-containerd:" + id, Place{PodUID: uid, ContainerID: id}},
		"below such a directory":          {"/kubepods-pod" + systemdU + ".slice:crio:" + id + "/container", Place{PodUID: uid, ContainerID: id, Below: true}},
		"such a name without an id":       {"/system.slice/containerd.service/kubepods-pod" + systemdU + ".slice:cri-containerd:webapp", Place{}},
		"Kata's sandbox":                  {"/kubepods/pod" + uid + "/kata_" + id, Place{PodUID: uid, ContainerID: id}},
		"a mount's unit":                  {"/kubepods/pod" + uid + "/crio-" + id + ".mount", Place{}},
		"an id too short":                 {"/kubepods/pod" + uid + "/" + id[1:], Place{}},
		"an id too long":                  {"/kubepods/pod" + uid + "/" + id + "0", Place{}},
		"hostile":                         {"//..//pod" + uid + "\n/x", Place{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ParsePath(tt.path); got != tt.want {
				t.Errorf("ParsePath(%q) = %+v, want %+v", tt.path, got, tt.want)
			}
		})
	}
}

func FuzzParsePath(f *testing.F) {
	for _, p := range foundPaths(f) {
		f.Add(p.Path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p := ParsePath(path)
		if p.ContainerID != "" && (p.PodUID == "" || !IsContainerID(p.ContainerID)) {
			t.Errorf("ParsePath(%q) = %+v: not a container of a pod", path, p)
		}
		if p.Below && p.ContainerID == "" {
			t.Errorf("ParsePath(%q) = %+v: below no container", path, p)
		}
		if n := len(p.PodUID); n != 0 && n != 32 && n != 36 || strings.Contains(p.PodUID, "_") {
			t.Errorf("ParsePath(%q) = %+v: not a UID", path, p)
		}
	})
}

func TestDictionaryForgetsTheDeadLater(t *testing.T) {
	d := NewDictionary()
	pod := d.Add(1, "/kubepods/pod"+uid, 10)
	d.Add(2, pod.Path+"/"+id, 20)
	d.Add(3, pod.Path+"/"+id+"/inner", 30)
	if got := d.Containers(); len(got) != 1 || got[0].ID != 2 {
		t.Fatalf("containers = %v", got)
	}
	if up := d.Ancestors(pod.Path + "/" + id); len(up) != 1 || up[0] != pod {
		t.Fatalf("ancestors = %v", up)
	}
	d.Release(2, 100)
	if len(d.Containers()) != 0 {
		t.Error("a released container is still alive")
	}
	if _, ok := d.Lookup(2); !ok {
		t.Error("a released container was forgotten at once")
	}
	d.Sweep(101)
	if _, ok := d.Lookup(2); ok {
		t.Error("a swept container is still known")
	}
}
