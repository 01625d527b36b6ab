# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2153  # OWNER is of config.sh
# Who owns the cluster on this machine, and whether it runs.

# lock keeps two starts or stops of one cluster name apart until this script ends.
lock() {
  mkdir -p /run/lock
  exec {LOCK}>"/run/lock/$KG_NODE_NAME-node"
  flock --nonblock "$LOCK" && return
  say "another start or stop of the node is under way; waiting for it"
  flock "$LOCK"
}

# The name is machine-wide (cgroups), the state directory is not: say so before anything is touched.
refuse_other_owner() {
  local owner
  [[ -s $OWNER ]] || return 0
  owner=$(<"$OWNER")
  [[ $owner == "$NODE" ]] ||
    die "a node named $KG_NODE_NAME belongs to $owner: stop it with KG_NODE_HOME=$(dirname "$owner") make node-down, or set KG_NODE_NAME and KG_NODE_PORT for a second one"
}

# claim refuses a cgroup of that name that no node of ours accounts for.
claim() {
  if cgroup_exists; then
    die "a cgroup named $KG_NODE_NAME exists that this project did not make: set KG_NODE_NAME to another name"
  fi
  printf '%s\n' "$NODE" >"$OWNER"
}

cgroup_exists() {
  local at
  while read -r _ at; do
    [[ ! -d $at/$KG_NODE_NAME ]] || return 0
  done < <(hierarchies)
  return 1
}

dead_components() {
  local name dead=()
  for name in "${COMPONENTS[@]}"; do
    alive "$name" || dead+=("$name")
  done
  printf '%s' "${dead[*]:-none}"
}

# running is true when every component lives and the API server and the node are ready.
running() {
  [[ -s $NODE/started && $(dead_components) == none ]] || return 1
  host_kubectl --request-timeout=10s get --raw /readyz >/dev/null 2>&1 || return 1
  host_kubectl --request-timeout=10s wait --for=condition=Ready node/node1 --timeout=10s >/dev/null 2>&1
}
