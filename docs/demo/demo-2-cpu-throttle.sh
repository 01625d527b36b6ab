#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A service that looks healthy and makes its users wait: nginx compresses pages of four
# files for a client in another pod, below a CPU limit. The whisper tells the
# kernel's truth beside the metric's claim; its proposal is applied in place, and
# what was predicted stands beside what was then measured.
# Clusters other than the one-node cluster may need NGINX_IMAGE and BUSYBOX_IMAGE.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

SHOP=demo-shop
VISITOR=demo-visitor
CPU_LIMIT=${CPU_LIMIT:-200m}
CPU_REQUEST=${CPU_REQUEST:-50m}

# The file is made when the pod starts, so that there is something to compress.
deploy_shop() {
  in_namespace apply -f - >/dev/null <<YAML
apiVersion: v1
kind: ConfigMap
metadata:
  name: $SHOP
data:
  nginx.conf: |
    worker_processes 1;
    pid /tmp/nginx.pid;
    error_log stderr notice;
    events {}
    http {
      access_log off;
      default_type text/plain;
      gzip on;
      gzip_types text/plain;
      gzip_http_version 1.0;
      gzip_comp_level 9;
      server { listen 80; root /srv; }
    }
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $SHOP
spec:
  selector:
    matchLabels: {app: $SHOP}
  template:
    metadata:
      labels: {app: $SHOP}
    spec:
      terminationGracePeriodSeconds: 0
      initContainers:
        - name: catalogue
          image: $BUSYBOX_IMAGE
          imagePullPolicy: IfNotPresent
          command: [sh, -c, "seq 1 $FILE_LINES > /srv/file.txt"]
          volumeMounts: [{name: srv, mountPath: /srv}]
      containers:
        - name: nginx
          image: $NGINX_IMAGE
          imagePullPolicy: IfNotPresent
          command: [nginx, -c, /etc/demo/nginx.conf, -g, "daemon off;"]
          readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}
          resources:
            requests: {cpu: $CPU_REQUEST}
            limits: {cpu: $CPU_LIMIT}
          volumeMounts: [{name: srv, mountPath: /srv}, {name: conf, mountPath: /etc/demo}]
      volumes:
        - {name: srv, emptyDir: {}}
        - {name: conf, configMap: {name: $SHOP}}
YAML
}
FILE_LINES=${FILE_LINES:-25000}

# A page is four files at once. The next visitor does not wait for the one before. The time
# since boot has hundredths of a second.
deploy_visitor() {
  in_namespace apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $VISITOR
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: visitor
      image: $BUSYBOX_IMAGE
      imagePullPolicy: IfNotPresent
      command:
        - sh
        - -c
        - |
          now() { read -r t rest </proc/uptime; echo "\${t%.*}\${t#*.}"; }
          fetch() { wget -q -O /dev/null --header 'Accept-Encoding: gzip' http://$1/file.txt; }
          page() {
            began=\$(now)
            fetch & fetch & fetch & fetch & wait
            echo "\$((\$(now) - began))0 ms"
          }
          while :; do
            (page) &
            sleep 0.4
          done
YAML
}

clean_up() {
  in_namespace delete "deployment/$SHOP" "configmap/$SHOP" "pod/$VISITOR" --ignore-not-found >/dev/null
}

# pages N: how long the last N pages took, as the visitors measured it.
pages() { in_namespace logs "$VISITOR" --tail="$1" | paste -sd ' ' | sed 's/ ms /, /g'; }

print_top() {
  title "What ordinary metrics say"
  if kubectl get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null 2>&1; then
    wait_for 90 "metrics.k8s.io knows the pod" in_namespace top pod "$1" 2>/dev/null || true
    show kubectl -n "$NAMESPACE" top pod "$1" --containers || true
  else
    say "metrics.k8s.io is not on this cluster (make node-metrics-server gives it to the one-node cluster)"
  fi
  printf 'limit: %s\n' "$(field pod "$1" '{.spec.containers[0].resources.limits.cpu}')"
}

print_pages() { printf 'the last %s pages took: %s\n' "$1" "$(pages "$1")"; }

# proposed: there is a proposal from a recording that is long enough to show more than
# a page or two. A container that may only have waited for a CPU is heard for less at first.
proposed() {
  local limit recorded
  read -r limit recorded < <(field "$WHISPERS" "$1" '{.status.proposal.limitMillicores} {.spec.counterfactual.recordedMilliseconds}{"\n"}')
  [[ -n $recorded ]] && ((limit > 0 && recorded >= 8000))
}

# throttling_of UID: the whisper that tells of the limit. On a busy node another one may
# tell, and sooner, that the pod waits for a CPU.
throttling_of() {
  in_namespace get "$WHISPERS" -l "kernel-gossip.io/pod-uid=$1" \
    -o jsonpath='{.items[?(@.spec.reason=="CPUThrottling")].metadata.name}' | cut -d ' ' -f 1
}

# judged UID: there is such a whisper, and the operator has judged it.
judged() {
  local whisper
  whisper=$(throttling_of "$1")
  [[ -n $whisper ]] && in_namespace wait "$WHISPERS/$whisper" --for=condition=Assessed --timeout=1s
}

# quoted: the operator has asked metrics.k8s.io, where there is one.
quoted() {
  local source
  ! kubectl get --raw /apis/metrics.k8s.io/v1beta1 >/dev/null || {
    source=$(field "$WHISPERS" "$1" '{.status.metricsLie.source}')
    [[ $source == MetricsAPI ]]
  }
}

apply_proposal() {
  local arguments=(apply "$1" -n "$NAMESPACE")
  [[ -t 0 ]] || arguments+=(--yes)
  show kubectl gossip "${arguments[@]}"
}

# print_cpu_stat shows the node's own counters. Other nodes' files are out of reach from here.
print_cpu_stat() {
  local root group
  [[ $OURS == true ]] || return 0
  title "The same cgroups, read from cpu.stat now"
  while read -r group; do
    for root in /sys/fs/cgroup /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do
      [[ ! -r $root$group/cpu.stat ]] || show cat "$root$group/cpu.stat"
    done
  done < <(rows "$WHISPERS" "$1" .spec.evidence .source | sed -n 's/^cpu.stat nr_throttled of \(.*\)\t$/\1/p')
}

main() {
  local pod uid ip whisper
  begin
  need_gossip
  clean_up # of a run that was killed
  trap clean_up EXIT
  title "A service with limits.cpu: $CPU_LIMIT, as Deployment $SHOP in namespace $NAMESPACE"
  deploy_shop
  await 120 "the service is Ready" rolled_out "deployment/$SHOP"
  read -r pod uid ip < <(in_namespace get pods -l "app=$SHOP" -o jsonpath='{.items[0].metadata.name} {.items[0].metadata.uid} {.items[0].status.podIP}{"\n"}')
  deploy_visitor "$ip"
  await 60 "visitors ask for pages of four files" in_namespace wait "pod/$VISITOR" --for=condition=Ready --timeout=1s
  await 60 "a whisper that pod $pod is throttled" judged "$uid"
  whisper=$(throttling_of "$uid")
  title "The whisper, as soon as there was one"
  show kubectl gossip whispers -n "$NAMESPACE" --active
  print_top "$pod"
  title "What visitors see"
  print_pages 5
  await 150 "the bursts were heard and replayed at other limits" proposed "$whisper"
  await 60 "what ordinary metrics say is in the whisper" quoted "$whisper"
  title "The whole story"
  show kubectl gossip explain "$whisper" -n "$NAMESPACE"
  print_cpu_stat "$whisper"
  title "The proposal, applied in place"
  apply_proposal "$whisper"
  title "What visitors see now"
  print_pages 5
}

main
