# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# metrics-server, for those who want metrics.k8s.io (kubectl top) beside what the
# kernel says. The node is whole without it, so it is built and started on
# demand only, and its pins are apart from those of the node.

METRICS_PORT=10251

metrics_bin() {
  local pin
  pin=$(sources metrics-server | sha256sum)
  printf '%s/bin/metrics-server-%s\n' "$KG_NODE_HOME" "${pin:0:12}"
}

build_metrics_server() {
  local BIN # of build_program
  BIN=$(metrics_bin)
  mkdir -p "$BIN"
  [[ -x $BIN/metrics-server ]] && return
  command -v go >/dev/null || die "go is not in the PATH; install Go 1.26 or later"
  timed "building metrics-server into $BIN (about 2 minutes on 2 cores the first time)" \
    build_program metrics-server metrics-server sigs.k8s.io/metrics-server/cmd/metrics-server
}

# It runs as a process of the node with an identity of its own. Both certificates,
# the kubelet's and its own, are of the cluster's authority and are verified.
start_metrics_server() {
  local etc=/var/lib/kubernetes
  make_metrics_identity >"$LOG/pki-metrics-server.log" 2>&1
  host_kubectl apply -f "$ETC/metrics-server.yaml" >/dev/null
  start metrics-server "$(metrics_bin)/metrics-server" --kubeconfig=$etc/metrics-server.kubeconfig \
    --authentication-kubeconfig=$etc/metrics-server.kubeconfig --authorization-kubeconfig=$etc/metrics-server.kubeconfig \
    --bind-address="$NODE_IP" --secure-port="$METRICS_PORT" --metric-resolution=15s \
    --tls-cert-file=$etc/metrics-server-serving.crt --tls-private-key-file=$etc/metrics-server-serving.key \
    --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority=$etc/ca.crt
  serves metrics-server "metrics.k8s.io to report the node" metrics_served
}

make_metrics_identity() {
  make_client metrics-server /CN=metrics-server
  make_certificate metrics-server-serving ca /CN=metrics-server "subjectAltName=DNS:metrics-server.kube-system.svc" serverAuth
  sed -e "s|@NODE_IP@|$NODE_IP|" -e "s|@PORT@|$METRICS_PORT|" -e "s|@CA@|$(base64 -w0 "$ETC/ca.crt")|" \
    "$HERE/config/metrics-server.yaml" >"$ETC/metrics-server.yaml"
}

# The first figures come after two rounds of asking the kubelet.
metrics_served() { host_kubectl --request-timeout=10s get --raw /apis/metrics.k8s.io/v1beta1/nodes/node1; }
