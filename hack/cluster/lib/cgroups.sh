# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Everything of the cluster runs below one cgroup, $KG_NODE_NAME, in every
# hierarchy of the machine (v1, hybrid or v2). That is what makes "ours" exact:
# down ends what is in there and nothing else.

# hierarchies prints the type and mount point of each cgroup hierarchy.
hierarchies() {
  awk '$3 == "cgroup" || $3 == "cgroup2" {print $3, $2}' /proc/self/mounts
}

# make_cgroup NAME: makes the cgroup, below parents that exist, in every hierarchy.
make_cgroup() {
  local type at
  while read -r type at; do
    [[ $type == cgroup ]] || delegate "$at/$(dirname "$1")"
    mkdir -p "$at/$1"
    inherit_cpuset "$type" "$at/$1"
  done < <(hierarchies)
}

# On v2 a cgroup gets the controllers that its parent passes on.
delegate() {
  local controller all
  read -ra all <"$1/cgroup.controllers" || true # empty where v1 has them all
  for controller in "${all[@]}"; do
    echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true # one may not be delegable; the others matter
  done
}

# On v1 a new cpuset has no CPU and accepts no process until it gets some.
inherit_cpuset() {
  local file
  [[ $1 == cgroup && -e $2/cpuset.cpus ]] || return 0
  for file in cpuset.cpus cpuset.mems; do
    [[ -n $(<"$2/$file") ]] || cat "$2/../$file" >"$2/$file"
  done
}

# join_cgroup NAME: moves the calling shell there.
join_cgroup() {
  local at
  while read -r _ at; do
    echo "$BASHPID" >"$at/$1/cgroup.procs"
  done < <(hierarchies)
}

our_processes() {
  local at
  while read -r _ at; do
    [[ ! -d $at/$KG_NODE_NAME ]] || find "$at/$KG_NODE_NAME" -name cgroup.procs -exec cat {} + 2>/dev/null
  done < <(hierarchies) | sort -un
}

_kill_round() {
  local pids
  mapfile -t pids < <(our_processes)
  ((${#pids[@]})) || return 0
  kill -KILL "${pids[@]}" 2>/dev/null || true
  return 1
}

kill_cgroups() {
  wait_for 30 "the cluster's processes to end" _kill_round ||
    die "these processes do not end: $(our_processes | tr '\n' ' ')"
}

_remove_round() {
  local at left=0
  while read -r _ at; do
    [[ -d $at/$KG_NODE_NAME ]] || continue
    find "$at/$KG_NODE_NAME" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    [[ ! -d $at/$KG_NODE_NAME ]] || left=1
  done < <(hierarchies)
  return "$left"
}

remove_cgroups() {
  wait_for 30 "the cluster's cgroups to be removed" _remove_round ||
    die "a cgroup named $KG_NODE_NAME is still there; find it with: find /sys/fs/cgroup -name $KG_NODE_NAME"
}
