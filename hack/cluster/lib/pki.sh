# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Keys, certificates and kubeconfigs. Each component has an identity of its own,
# so that node authorization and RBAC decide as they do on any other cluster.

make_pki() {
  local san
  mkdir -p "$ETC"
  chmod 0700 "$ETC"
  make_authority ca kernel-gossip-node
  make_authority front-proxy-ca front-proxy
  san="IP:127.0.0.1,IP:$NODE_IP,IP:$SERVICE_IP,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  make_certificate kube-apiserver ca /CN=kube-apiserver "subjectAltName=$san" serverAuth
  make_certificate kubelet-serving ca "/O=system:nodes/CN=system:node:node1" "subjectAltName=IP:$NODE_IP,DNS:node1" serverAuth
  make_client kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  make_client admin /O=system:masters/CN=admin
  make_client kubelet /O=system:nodes/CN=system:node:node1
  make_client kube-controller-manager /CN=system:kube-controller-manager
  make_client kube-scheduler /CN=system:kube-scheduler
  make_client kube-proxy /CN=system:kube-proxy
  make_certificate front-proxy-client front-proxy-ca /CN=front-proxy-client "" clientAuth
  openssl genrsa -out "$ETC/service-account.key" 2048
  openssl rsa -in "$ETC/service-account.key" -pubout -out "$ETC/service-account.pub"
}

make_authority() { # NAME COMMON_NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -keyout "$ETC/$1.key" -out "$ETC/$1.crt" -subj "/CN=$2" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
}

make_certificate() { # NAME AUTHORITY SUBJECT EXTENSION USAGE
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$ETC/$1.key" -out "$ETC/$1.csr" -subj "$3"
  openssl x509 -req -in "$ETC/$1.csr" -CA "$ETC/$2.crt" -CAkey "$ETC/$2.key" -CAcreateserial -days 365 \
    -out "$ETC/$1.crt" -extfile <(printf '%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$4" "$5")
  rm "$ETC/$1.csr"
}

# make_client NAME SUBJECT: a client certificate and the kubeconfig with it, for use inside the node.
make_client() {
  make_certificate "$1" ca "$2" "" clientAuth
  write_kubeconfig "$1" https://127.0.0.1:6443 "$ETC/$1.kubeconfig"
}

write_kubeconfig() { # CLIENT SERVER FILE
  (
    umask 077
    cat >"$3" <<END
apiVersion: v1
kind: Config
clusters:
- name: $KG_NODE_NAME
  cluster:
    server: $2
    certificate-authority-data: $(base64 -w0 "$ETC/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 "$ETC/$1.crt")
    client-key-data: $(base64 -w0 "$ETC/$1.key")
contexts:
- name: $KG_NODE_NAME
  context: {cluster: $KG_NODE_NAME, user: $1}
current-context: $KG_NODE_NAME
END
  )
}
