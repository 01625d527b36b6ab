#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts nginx and shows the birth certificate that the kernel's events made.
# Clusters other than the one-node cluster may need NGINX_IMAGE.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

DEPLOYMENT=demo-birth

# A Deployment, so that a second run is compared with the first.
deploy() {
  in_namespace apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: $DEPLOYMENT
spec:
  selector:
    matchLabels: {app: $DEPLOYMENT}
  template:
    metadata:
      labels: {app: $DEPLOYMENT}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: nginx
          image: $NGINX_IMAGE
          imagePullPolicy: IfNotPresent
YAML
}

clean_up() { in_namespace delete deployment "$DEPLOYMENT" --ignore-not-found --cascade=foreground >/dev/null; }

print_certificate() {
  local name=$1
  title "The certificate: $name"
  show kubectl -n "$NAMESPACE" get pbc "$name"
  field "$CERTIFICATES" "$name" '{.status.insight}{"\n"}'
  print_timeline "$name"
  print_phases "$name"
  print_syscalls "$name"
  print_coverage "$name"
}

print_timeline() {
  title "Who did what (milliseconds since the observer heard of the pod)"
  rows "$CERTIFICATES" "$1" .spec.timeline .offsetMicroseconds .actor .container .action .detail |
    awk -F '\t' '{printf "%10.3f  %-9s  %-9s  %-23s  %s\n", $1 / 1000, $2, $3, $4, $5}'
}

print_phases() {
  title "Where the time went (milliseconds; waiting: no thread of the phase was on a CPU; critical: what the birth would be shorter by)"
  rows "$CERTIFICATES" "$1" .spec.phases .name .detail .container .startMicroseconds .durationMicroseconds .waitMicroseconds .criticalMicroseconds |
    awk -F '\t' '
      BEGIN {printf "%-20s  %-9s  %10s  %10s  %10s  %10s\n", "PHASE", "CONTAINER", "START", "DURATION", "WAITING", "CRITICAL"}
      {printf "%-20s  %-9s  %10.3f  %10.3f  %10s  %10.3f\n", $1 ($2 == "" ? "" : " " $2), $3, $4 / 1000, $5 / 1000, $6 == "" ? "-" : sprintf("%.3f", $6 / 1000), $7 / 1000}'
}

print_syscalls() {
  title "How many system calls it took, by actor"
  rows "$CERTIFICATES" "$1" .spec.kernelStats.actors .actor .container .syscalls .processes .execs |
    awk -F '\t' '
      BEGIN {printf "%-9s  %-9s  %9s  %9s  %6s\n", "ACTOR", "CONTAINER", "SYSCALLS", "PROCESSES", "EXECS"}
      {printf "%-9s  %-9s  %9s  %9s  %6s\n", $1, $2, $3, $4, $5}'
  printf '\nmost frequent: %s\n' "$(rows "$CERTIFICATES" "$1" .spec.kernelStats.topSyscalls .name .count |
    awk -F '\t' '{printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2}')"
}

print_coverage() {
  local missing
  missing=$(field "$CERTIFICATES" "$1" '{range .spec.coverage.missing[*]}{"  "}{@}{"\n"}{end}')
  title "How much of it was heard: $(field "$CERTIFICATES" "$1" '{.spec.coverage.attributedPercent}% attributed, {.spec.coverage.lostEvents} events lost, complete: {.spec.complete}')"
  [[ -z $missing ]] || printf 'not heard:\n%s\n' "$missing"
}

main() {
  local uid pod
  begin
  clean_up # of a run that was killed
  trap clean_up EXIT
  title "A birth: nginx, as Deployment $DEPLOYMENT in namespace $NAMESPACE"
  deploy
  await 120 "the pod is Ready" rolled_out "deployment/$DEPLOYMENT"
  read -r pod uid < <(in_namespace get pods -l "app=$DEPLOYMENT" -o jsonpath='{.items[0].metadata.name} {.items[0].metadata.uid}{"\n"}')
  await 30 "the birth certificate of pod $pod" found "$CERTIFICATES" "$uid"
  print_certificate "$(name_of "$CERTIFICATES" "$uid")"
}

main
