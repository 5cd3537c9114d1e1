# `make test` is the one command. It brings what the tests need beyond Go, where it may.
FUZZTIME ?= 3s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help build test torture lint fuzz bench vuln

help: ## Say what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

build: ## Build ./countersign
	CGO_ENABLED=0 go build -trimpath -o countersign ./cmd/countersign

test: ## Run all tests, with the race detector
	scripts/test-deps.sh
	scripts/test.sh

torture: ## Run the tests of docs/faults.md at length (half an hour)
	scripts/test-deps.sh
	TORTURE=long go test -count=1 -timeout 2h -v ./internal/torture
	go test -count=1 -timeout 1h -run '^TestOneSuccessorFromTwoProcesses$$' ./cmd/countersign

lint: ## Check the form of the code
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'gofmt would change these'; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	@for module in examples/*/go.mod; do (cd $$(dirname $$module) && go vet ./... && go run $(STATICCHECK) ./...) || exit 1; done

fuzz: ## Fuzz each parser for FUZZTIME (3s)
	scripts/fuzz.sh $(FUZZTIME)

bench: ## Compare with the Express app and plain Go, side by side (needs node, wrk, taskset)
	cd bench && go run .

vuln: ## Look for known vulnerabilities (needs the network)
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...
	@for module in examples/*/go.mod; do (cd $$(dirname $$module) && go run golang.org/x/vuln/cmd/govulncheck@latest ./...) || exit 1; done
