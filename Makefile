# Tocsin. `make help` lists the targets.

SHELL       := /bin/bash
GO          ?= go
BIN         := bin
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GOBIN       := $(shell $(GO) env GOPATH)/bin
GOLANGCI    := $(GOBIN)/golangci-lint
# The linter is pinned: a new one with new opinions must not break an old tree.
GOLANGCI_VERSION := v2.15.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Libraries where most of the time goes to the network are not inlined: that is a
# tenth of the binary's code. What is hot (ours, SQLite, expressions, YAML) is.
COLD := github.com/redis/go-redis github.com/jackc github.com/prometheus/prometheus github.com/prometheus/common google.golang.org/grpc \
	google.golang.org/protobuf github.com/hashicorp github.com/wneessen github.com/slack-go github.com/spf13 github.com/shirou \
	github.com/santhosh-tekuri golang.org/x/text golang.org/x/net golang.org/x/oauth2 github.com/tidwall

.PHONY: build
build: ## Build bin/tocsin, static
	CGO_ENABLED=0 $(GO) build -trimpath $(COLD:%=-gcflags=%/...=-l) -ldflags "-s -w -X github.com/tocsin-dev/tocsin/internal/version.linked=$(VERSION)" -o $(BIN)/tocsin ./cmd/tocsin

.PHONY: plugins
plugins: ## Build the plugins that ship into plugins/bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o plugins/bin/ ./plugins/exec ./plugins/example
	cd plugins/shoutrrr && CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o ../bin/ .
	@plugins/example-python/build.sh plugins/bin/example-python

.PHONY: run
run: build ## Build, and serve configs/embedded.yaml
	$(BIN)/tocsin serve --config configs/embedded.yaml

.PHONY: demo
demo: build ## Play an incident, with no server installed
	$(BIN)/tocsin demo

.PHONY: services
services: ## Install PostgreSQL, Redis, Prometheus and amtool for the tests, where permitted
	@scripts/services.sh

.PHONY: test
test: services build ## Run every test, against real servers started privately
	$(GO) test $(GOTESTFLAGS) ./...
	cd plugins/shoutrrr && $(GO) test $(GOTESTFLAGS) ./...

.PHONY: race
race: services build ## Run every test with the race detector
	$(GO) test -race ./...
	cd plugins/shoutrrr && $(GO) test -race ./...

.PHONY: lint
lint: $(GOLANGCI) ## Run the linters
	$(GOLANGCI) run ./...
	cd plugins/shoutrrr && $(GOLANGCI) run ./...

$(GOLANGCI):
	$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	$(GOLANGCI) fmt ./...

.PHONY: golden
golden: ## Rewrite the golden files and scripts
	UPDATE=1 $(GO) test ./...

.PHONY: schema
schema: ## Write configs/*.schema.json anew, from the types and their comments
	UPDATE=1 $(GO) test -count=1 -run '^TestSchemasAreFresh$$' ./cmd/tocsin

.PHONY: proto
proto: ## Generate the code of plugins/pluginpb/plugin.proto anew, Go's and Python's
	$(GO) generate ./plugins/pluginpb
	@plugins/example-python/generate.sh

.PHONY: fuzz
fuzz: ## Fuzz everything that strangers write, FUZZTIME each (10s)
	@scripts/fuzz.sh $${FUZZTIME:-10s}

.PHONY: bench
bench: services build plugins ## Measure beside others, and print the figures of docs/benchmarks.md
	@scripts/peers.sh
	@scripts/bench.sh

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN) plugins/bin
