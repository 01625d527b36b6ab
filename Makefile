# SPDX-License-Identifier: Apache-2.0
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

NODE := hack/cluster/node
NODE_VM := hack/cluster/vmnode/node-vm.sh
TEST := go run ./hack/test

##@ See it

.PHONY: demo
demo: ## Hear a birth and a throttled process on this machine (root; no cluster needed)
	@hack/demo/run.sh

##@ Build

.PHONY: build
build: ## Compile the programs into build/bin
	@mkdir -p build/bin
	CGO_ENABLED=0 go build -trimpath -o build/bin/ ./cmd/...

.PHONY: images
images: ## Write the two container images to build/images/*.tar (no Docker needed)
	@hack/images/build.sh

.PHONY: generate
generate: ## Regenerate BPF objects, deep copies and CRDs, and format the BPF sources
	@hack/tools/generate.sh

.PHONY: clean
clean: ## Remove build/ (caches and a running node stay)
	rm -rf build

##@ Check

.PHONY: test
test: ## Everything that this machine can run, saying what it cannot
	@$(TEST)

.PHONY: generate-check
generate-check: ## Fail when a generated file is not what its source gives
	@$(TEST) generate-check

.PHONY: lint
lint: ## golangci-lint, gofmt, vet, clang-format, shellcheck
	@$(TEST) lint

.PHONY: unit
unit: ## Go tests that need neither root nor a cluster
	@$(TEST) unit

.PHONY: test-bpf
test-bpf: ## eBPF programs on this kernel (root)
	@$(TEST) bpf

.PHONY: test-kernels
test-kernels: ## eBPF programs on Debian's kernels 5.10 to 7.x, in virtual machines (no KVM needed)
	@$(TEST) kernels

.PHONY: test-arm64
test-arm64: ## The same on an arm64 kernel, emulated (2 to 3 minutes; not part of make test)
	@KG_KERNELS_ARM64=1 $(TEST) kernels

.PHONY: support
support: ## What each kernel lets the observer hear: docs/reference/support.md anew (about 4 minutes)
	@hack/support/run.sh $(SUITES)

.PHONY: test-nodes
test-nodes: ## Births and a throttled pod on nodes with Linux 5.10 and the newest, in virtual machines one after the other
	@$(TEST) vm

.PHONY: test-api
test-api: ## Resources against a real etcd and API server
	@$(TEST) api

.PHONY: test-browser
test-browser: ## Traces in a trace viewer, pictures as Chromium draws them
	@$(TEST) browser

.PHONY: bench
bench: ## What the observer costs, and what its alternatives cost (root; 25 minutes; FLAGS: -quick, -parts, -write, -help)
	@hack/bench/run.sh cost $(FLAGS)

.PHONY: bench-bpf
bench-bpf: ## What the loaded programs alone cost bystanders, as Go benchmarks (root)
	KG_TEST_STAGE=bpf go test -run '^$$' -bench 'Cost|LeanIn|CallsByWay' -benchtime 1x ./test/bpf

.PHONY: test-e2e
test-e2e: ## Both components on a node (KUBECONFIG, or the one-node cluster)
	@$(TEST) e2e

.PHONY: storm
storm: ## A hundred births, up to 24 at once, on busy CPUs, ROUNDS times (10)
	@hack/bench/run.sh storm $(or $(ROUNDS),10)

.PHONY: births-table
births-table: ## Where the time and the system calls of real images go, as Markdown (BIRTHS of each: 5)
	@hack/births/run.sh -n $(or $(BIRTHS),5)

.PHONY: bench-births
bench-births: ## What the observer costs the start of a pod: pairs of blocks, and whose CPU time (17 minutes; FLAGS: -rounds 2, -floor, -from FILE)
	@hack/bench/run.sh births $(FLAGS)

.PHONY: bench-memory
bench-memory: ## What the observer takes with 250 pods on its node (root)
	@hack/bench/run.sh memory

.PHONY: bench-objects
bench-objects: ## What 50,000 certificates take of etcd, the API server, the operator and kubectl gossip (FLAGS, e.g. -objects=5000)
	@hack/bench/run.sh objects $(FLAGS)

.PHONY: bench-recommender
bench-recommender: ## Predicted and recommended limits against measured ones (root; no cluster; FLAGS, e.g. -help)
	@hack/bench/run.sh recommender $(FLAGS)

##@ One-node cluster

.PHONY: node-up
node-up: ## Start a real one-node cluster on this machine (root)
	@$(NODE) up

.PHONY: node-down
node-down: ## End it and remove all it made, also after a crash
	@$(NODE) down

.PHONY: node-status
node-status: ## Say whether it runs, component by component
	@$(NODE) status

.PHONY: node-metrics-server
node-metrics-server: ## Let the running node serve metrics.k8s.io (kubectl top) as well
	@$(NODE) metrics-server

.PHONY: node-env
node-env: ## Print export lines: eval "$$(make -s node-env)"
	@$(NODE) env

.PHONY: node-vm-up
node-vm-up: ## Add node2: cgroup v2, runc and crun, in a virtual machine (KG_VM_KERNEL, KG_VM_SYSTEMD=1, KG_VM_NUMBER=3)
	@$(NODE_VM) up

.PHONY: node-vm-down
node-vm-down: ## End node2 (or KG_VM_NUMBER=3) and remove all it made
	@$(NODE_VM) down

##@ Any cluster

.PHONY: deploy
deploy: ## Build images, load them where the cluster is ours, apply k8s/, wait (KG_CPU_BUDGET)
	@hack/deploy/deploy.sh

.PHONY: undeploy
undeploy: ## Delete what k8s/ describes, waiting until it is gone
	@hack/deploy/undeploy.sh

##@ Help

.PHONY: help
help: ## This text
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {gsub(/\$$\$$/, "$$", $$2); printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
