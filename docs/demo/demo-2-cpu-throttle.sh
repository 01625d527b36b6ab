#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starts a busy loop below a CPU limit and shows the whisper: the kernel's truth
# beside the metric's claim. Then it stops the load and waits for the end.
# Clusters other than the one-node cluster may need BUSYBOX_IMAGE.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

POD=demo-busy
CPU_LIMIT=${CPU_LIMIT:-100m}

# On SIGUSR1 the loop becomes a process that waits: the container lives on without load.
deploy() {
  in_namespace apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $POD
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: loop
      image: $BUSYBOX_IMAGE
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "trap 'exec tail -f /dev/null' USR1; while :; do :; done"]
      resources:
        limits: {cpu: $CPU_LIMIT}
YAML
}

clean_up() { in_namespace delete pod "$POD" --ignore-not-found >/dev/null; }

print_whisper() {
  print_both_sides "$1"
  print_evidence "$1"
  print_verdict "$1"
}

print_both_sides() {
  local truth=.spec.kernelTruth
  title "What the kernel counted, and what a metric shows"
  field "$WHISPERS" "$1" "kernel:  {$truth.throttledPeriods} of {$truth.periods} periods throttled ({$truth.throttledPercent}%) in {$truth.windowMilliseconds} ms, at level {$truth.throttledAt}, quota {$truth.quotaMicroseconds} us per {$truth.periodMicroseconds} us; used {$truth.usageMillicores}m of {$truth.demandMillicores}m{\"\\n\"}"
  field "$WHISPERS" "$1" 'metric:  {.status.metricsLie.claim} (source: {.status.metricsLie.source}){"\n"}'
}

print_evidence() {
  title "The evidence, to be checked by hand"
  rows "$WHISPERS" "$1" .spec.evidence .before .after .source |
    awk -F '\t' '
      {at = index($3, " of "); counter = substr($3, 1, at - 1); cgroup = substr($3, at + 4)}
      !(cgroup in lines) {order[++n] = cgroup}
      {lines[cgroup] = lines[cgroup] sprintf("  %-22s  %14s -> %-14s  +%.0f\n", counter, $1, $2, $2 - $1)}
      END {for (i = 1; i <= n; i++) printf "%s\n%s", order[i], lines[order[i]]}'
}

print_verdict() {
  title "The verdict"
  field "$WHISPERS" "$1" 'severity:        {.status.severity}{"\n"}cause:           {.status.cause}{"\n"}insight:         {.status.insight}{"\n"}evidence:        {.status.kernelEvidence}{"\n"}recommendation:  {.status.recommendation}{"\n"}'
}

# print_cpu_stat shows the node's own counters. Other nodes' files are out of reach from
# here: there the container reads its own.
print_cpu_stat() {
  local root group shown=
  while [[ $OURS == true ]] && read -r group; do
    for root in /sys/fs/cgroup /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do
      [[ -r $root$group/cpu.stat ]] || continue
      show cat "$root$group/cpu.stat"
      shown=true
    done
  done < <(rows "$WHISPERS" "$1" .spec.evidence .source | sed -n 's/^cpu.stat nr_throttled of \(.*\)\t$/\1/p')
  [[ -n $shown ]] ||
    show kubectl -n "$NAMESPACE" exec "$POD" -- sh -c 'cat /sys/fs/cgroup/cpu.stat 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.stat'
}

stop_load() { in_namespace exec "$POD" -- kill -USR1 1; }

# told_again: the observer has written the whisper anew and the operator has judged that.
told_again() {
  local generation observed
  read -r generation observed < <(field "$WHISPERS" "$1" '{.metadata.generation} {.status.observedGeneration}{"\n"}')
  ((generation > 1 && observed == generation))
}

resolved() { in_namespace wait "$WHISPERS/$1" --for=condition=Resolved --timeout=1s; }

print_end() {
  title "The end of the episode"
  field "$WHISPERS" "$1" 'began  {.spec.startTime}{"\n"}ended  {.spec.endTime}{"\n"}'
  field "$WHISPERS" "$1" '{range .status.conditions[*]}{.type}{"\t"}{.status}{"\t"}{.message}{"\n"}{end}' |
    awk -F '\t' '{printf "%-9s  %-6s %s\n", $1, $2, $3}'
}

main() {
  local uid whisper
  begin
  clean_up # of a run that was killed
  trap clean_up EXIT
  title "A busy loop with limits.cpu: $CPU_LIMIT, as pod $POD in namespace $NAMESPACE"
  deploy
  await 120 "the pod is Ready" in_namespace wait "pod/$POD" --for=condition=Ready --timeout=1s
  uid=$(field pod "$POD" '{.metadata.uid}')
  await 60 "a whisper about pod $POD" found "$WHISPERS" "$uid"
  whisper=$(name_of "$WHISPERS" "$uid")
  title "The whisper, as soon as there was one"
  show kubectl -n "$NAMESPACE" get kw "$whisper"
  await 60 "the observer tells it again, with a longer window" told_again "$whisper"
  print_whisper "$whisper"

  title "Now the load stops"
  await 60 "the loop was told to stop" stop_load
  await 90 "the whisper is resolved" resolved "$whisper"
  print_end "$whisper"
  print_evidence "$whisper"
  title "The same cgroups, read from cpu.stat now"
  print_cpu_stat "$whisper"
}

main
