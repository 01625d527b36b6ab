# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The programs of the cluster: how each is started, and how one knows that it serves.

# start NAME COMMAND...: runs COMMAND in the background, in a cgroup of its own and inside the node.
start() { launch "$1" nsenter --net="$NS/net" --mount="$NS/mnt" "${@:2}"; }

# launch is start without entering the node.
launch() {
  local name=$1
  shift
  make_cgroup "$KG_NODE_NAME/system/$name"
  (
    join_cgroup "$KG_NODE_NAME/system/$name"
    exec {LOCK}>&- # the lock belongs to the script, not to what it starts
    exec setsid "$@"
  ) >"$LOG/$name.log" 2>&1 </dev/null &
  echo $! >"$PID/$name"
}

# exists NAME: enough for a component that was started a moment ago. A dead process
# keeps its number until its parent looks, and not every machine's init does.
exists() { [[ -s $PID/$1 ]] && grep -q '^State:[[:space:]][^ZX]' "/proc/$(<"$PID/$1")/status" 2>/dev/null; }

# alive NAME: not fooled by a foreign process with the number of a dead one of ours.
alive() { exists "$1" && grep -q ":/$KG_NODE_NAME/system/$1\$" "/proc/$(<"$PID/$1")/cgroup"; }

# serves NAME WHAT COMMAND...: waits until COMMAND succeeds, or the component dies.
serves() {
  local name=$1 what=$2
  shift 2
  wait_for 120 "$what" _answers_or_dead "$name" "$@" && exists "$name" && return
  say "$name does not serve; the end of $LOG/$name.log:"
  tail -n 5 "$LOG/$name.log" >&2
  return 1
}

_answers_or_dead() {
  local name=$1
  shift
  exists "$name" || return 0
  "$@"
}

in_node_kubectl() { enter "$NODE/bin/kubectl" --kubeconfig /var/lib/kubernetes/admin.kubeconfig "$@"; }
host_kubectl() { "$NODE/bin/kubectl" --kubeconfig "$HOST_KUBECONFIG" "$@"; }
node_ctr() { enter "$NODE/bin/ctr" --namespace k8s.io "$@"; }

start_etcd() {
  start etcd "$NODE/bin/etcd" --data-dir /var/lib/etcd --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
}

start_apiserver() {
  local etc=/var/lib/kubernetes
  start kube-apiserver "$NODE/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --secure-port=6443 --advertise-address="$NODE_IP" --service-cluster-ip-range="$SERVICE_CIDR" \
    --tls-cert-file=$etc/kube-apiserver.crt --tls-private-key-file=$etc/kube-apiserver.key --client-ca-file=$etc/ca.crt \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file=$etc/service-account.pub --service-account-signing-key-file=$etc/service-account.key \
    --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority=$etc/ca.crt \
    --kubelet-client-certificate=$etc/kubelet-client.crt --kubelet-client-key=$etc/kubelet-client.key \
    --requestheader-client-ca-file=$etc/front-proxy-ca.crt --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- \
    --proxy-client-cert-file=$etc/front-proxy-client.crt --proxy-client-key-file=$etc/front-proxy-client.key
  serves kube-apiserver "the API server to be ready" in_node_kubectl get --raw /readyz
}

start_controllers() {
  local etc=/var/lib/kubernetes
  start kube-controller-manager "$NODE/bin/kube-controller-manager" --kubeconfig=$etc/kube-controller-manager.kubeconfig \
    --leader-elect=false --use-service-account-credentials=true --cluster-cidr="$POD_CIDR" \
    --service-account-private-key-file=$etc/service-account.key --root-ca-file=$etc/ca.crt \
    --cluster-signing-cert-file=$etc/ca.crt --cluster-signing-key-file=$etc/ca.key
  start kube-scheduler "$NODE/bin/kube-scheduler" --kubeconfig=$etc/kube-scheduler.kubeconfig --leader-elect=false
}

# containerd finds its shim in the PATH; the plugins have to be where its configuration says.
start_containerd() {
  mkdir -p "$ROOT/opt/cni/bin" "$ROOT/opt/cni/net.d"
  cp "$NODE/bin"/{bridge,host-local,loopback} "$HERE/config/gatekeeper" "$ROOT/opt/cni/bin/"
  cp "$HERE/config/10-bridge.conflist" "$ROOT/opt/cni/net.d/"
  start containerd env PATH="$NODE/bin:$PATH" "$NODE/bin/containerd" --config /var/lib/kubernetes/containerd.toml
  serves containerd "containerd to answer" node_ctr version
}

start_kubelet() {
  mkdir -p "$ROOT/var/lib/kubelet/static"
  start kubelet "$NODE/bin/kubelet" --config=/var/lib/kubernetes/kubelet.yaml --kubeconfig=/var/lib/kubernetes/kubelet.kubeconfig \
    --hostname-override=node1 --node-ip="$NODE_IP"
  start kube-proxy "$NODE/bin/kube-proxy" --config=/var/lib/kubernetes/kube-proxy.yaml
}

start_forward() {
  launch forward "$NODE/bin/forward" --listen "127.0.0.1:$KG_NODE_PORT" --netns "$NS/net" --to 127.0.0.1:6443
  write_kubeconfig admin "$HOST_SERVER" "$HOST_KUBECONFIG"
  serves forward "the API server to answer at $HOST_SERVER" host_kubectl get --raw /readyz
}

write_configuration() {
  local file
  for file in containerd.toml kubelet.yaml kube-proxy.yaml; do
    sed -e "s|@CGROUP@|/$KG_NODE_NAME|" "$HERE/config/$file" >"$ETC/$file"
  done
}

# import_images FILE...: archives of docker or OCI layout.
import_images() {
  local file
  for file in "$@"; do
    [[ -r $file ]] || die "cannot read the image archive $file; hack/images/build.sh NAME writes it"
    node_ctr images import --local - <"$file" >"$LOG/import.log" 2>&1 ||
      { cat "$LOG/import.log" >&2; die "importing $file failed"; }
  done
}
