# What a newcomer needs is "make sweep" and "make test"; "make help" lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DERPER   ?= 1.102.5
FUZZTIME ?= 20000x
VERSION  := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.buildVersion=$(VERSION)
ARCHS     ?= amd64 arm64
PREFIX    ?= /usr/local
CONTAINER ?= $(firstword $(foreach p,podman docker buildah,$(shell command -v $(p))))
IMAGE     ?= hdbench:$(VERSION)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

# The modules that have code of ours.
MODULES := . interop browser deploy

.PHONY: help build sweep test test-long lint unit bench microbench fuzz interop browser smoke lab lab-kernels lab-boots two-hosts sweep-lab hosts faults baseline install dist dist-check image gate-selftest answer-selftest limits-selftest soak-accounting setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' Makefile

build: setup ## build bin/hdbench, static and stripped: it is what ssh copies to other hosts
	CGO_ENABLED=0 go build -ldflags '$(LDFLAGS)' -o bin/hdbench ./cmd/hdbench

baseline: setup ## build Tailscale's derper, the TS baseline (DERPER=1.96.4 for the published one)
	@scripts/baseline.sh $(DERPER)

sweep: build baseline ## run the default sweep on this machine, print the tables, write the report
	bin/hdbench sweep

test: ## lint, every test of packages (race) and commands, interop, browser, a real sweep: up to 7 minutes
	@scripts/test.sh

test-long: ## the rest of what CI runs: fuzz, benchmarks once, lab, hosts, faults, two-hosts, deploy; as root
	@scripts/test-long.sh

lint: setup ## gofmt, go vet, staticcheck, tidy modules, workflows
	@for m in $(MODULES); do ( cd $$m; \
	  bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not gofmt: $$bad"; exit 1; }; \
	  go mod tidy -diff; go vet -tags lab,labhost ./...; go run $(STATICCHECK) -tags lab,labhost ./... ); done
	go run $(ACTIONLINT)

unit: setup ## unit and command tests under the race detector (make test runs commands, results and measure without)
	go test -race ./...

microbench: setup ## the Go benchmarks
	go test -run '^$$' -bench . ./...

bench: build baseline ## hd beside derper over bursts and transports, the client beside iperf3, in one run
	@scripts/bench.sh

fuzz: setup ## every fuzz target for FUZZTIME each (5m, 20000x), or all together for FUZZTOTAL (30m)
	@scripts/fuzz.sh $(if $(FUZZTOTAL),--total $(FUZZTOTAL),$(FUZZTIME))

interop: setup ## stock Tailscale clients through our relay, our load through Tailscale's server
	cd interop && go test -race -timeout 30m -count=1 ./...

browser: setup ## the HTML report in a headless Chromium: errors, widths, sorting, hovering, dark, paper
	@scripts/setup.sh chromium
	cd browser && go test -count=1 ./...

smoke: build baseline ## a short real sweep, checked
	@scripts/smoke.sh

lab: ## the tests that need kernel TLS, inside user-mode Linux and a virtual machine
	@scripts/lab-test.sh

lab-kernels: ## fetch the lab's kernels into the user's cache (REFRESH=1: the newest ones)
	@scripts/lab-kernels.sh

lab-boots: ## boot the lab's virtual machine LAB_BOOTS=20 times; to be run while the host is busy
	@scripts/setup.sh qemu-system-x86_64 xz
	@scripts/lab-kernels.sh qemu
	LAB_BOOTS=$(or $(LAB_BOOTS),20) go test -tags labhost -count=1 -v -timeout 60m -run '^TestBoots$$' ./internal/lab

hosts: ## the lab's hosts: namespaces with links and a real sshd; a relay under a CPU quota; needs root
	@scripts/setup.sh ip sshd ssh
	CGO_ENABLED=0 go test -tags labhost -timeout 30m -count=1 ./internal/lab/hosts
	CGO_ENABLED=0 go test -tags labhost -timeout 30m -count=1 -run Quota ./internal/fleet

faults: ## the fault matrix: what a sweep makes of hosts, lines and disks that fail; needs root
	@scripts/setup.sh ip sshd ssh
	CGO_ENABLED=0 go test -tags labhost -count=1 -v -parallel 3 -timeout 30m ./internal/lab/faults

two-hosts: build baseline ## quick over ssh between hosts in network namespaces, and all else that needs several hosts
	@scripts/two-hosts.sh quick

sweep-lab: ## a sweep inside user-mode Linux, with kernel TLS (SCENARIO=lab)
	@scripts/sweep-lab.sh "$(or $(SCENARIO),lab)"

gate-selftest: build ## does the gate pass what is the same and catch what is 10 % slower? some 20 minutes
	@scripts/gate-selftest.sh

answer-selftest: build baseline ## five sweeps' answers against what is driven by hand (ROUNDS=1: a short look); some 25 minutes
	go build -o bin/answertest ./internal/lab/answertest
	bin/answertest -rounds $(or $(ROUNDS),5) -derper bin/derper-$(DERPER)

limits-selftest: build baseline ## planted causes against the limits that sweeps name (ROUNDS=1: a short look); as root, some 30 minutes
	@scripts/setup.sh ip sshd ssh
	CGO_ENABLED=0 go build -tags slowreader -ldflags '$(LDFLAGS)' -o bin/hdbench-slowreader ./cmd/hdbench
	CGO_ENABLED=0 go build -o bin/limitstest ./internal/lab/limitstest
	bin/limitstest -rounds $(or $(ROUNDS),20) -derper bin/derper-$(DERPER)

install: build ## install hdbench, its manual pages and completions under PREFIX (/usr/local); DESTDIR= for packagers
	install -D -m 0755 bin/hdbench '$(DESTDIR)$(PREFIX)/bin/hdbench'
	@scripts/shell-files.sh bin/hdbench '$(DESTDIR)$(PREFIX)/share'

dist: setup ## reproducible archives for linux with checksums, in dist/ (ARCHS='amd64 arm64')
	@scripts/dist.sh $(ARCHS)

dist-check: dist ## is what make dist and make install made whole, static and reproducible?
	@scripts/setup.sh readelf
	@scripts/dist-check.sh $(ARCHS)

image: build ## the container image of deploy/kubernetes, IMAGE=name:tag; by CONTAINER, else podman, docker or buildah
	@[[ -n '$(CONTAINER)' ]] || { echo 'image: want podman, docker or buildah, or CONTAINER=program' >&2; exit 2; }
	$(CONTAINER) build -t '$(IMAGE)' -f deploy/Containerfile bin

soak-accounting: build ## is every packet accounted for, at twice the ceiling under each policy? PACKETS=1e8 in all, MINUTES=60 at most
	@scripts/soak-accounting.sh

setup: ## install what building and testing need
	@scripts/setup.sh

clean: ## remove what was built, bin and dist; results in hdbench-out stay
	rm -rf bin dist
