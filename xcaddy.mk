# Builds, runs, tests and measures the gateway. `make -f xcaddy.mk` lists what can be made.

GO          ?= go
CADDY       ?= ./caddy
FUZZTIME    ?= 10m
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MODULE      := github.com/mcpgateway/caddy-mcp-gateway

.DEFAULT_GOAL := help
.PHONY: help demo test build xcaddy bench bench-signin fuzz lint fmt formatted vet peers

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

demo: build ## runs the gateway on this machine with two small MCP servers behind it
	@$(CADDY) mcp demo

build: ## builds a Caddy with the gateway in it: ./caddy
	$(GO) build -o $(CADDY) ./cmd/caddy

# Modules come from the cache that `go mod download` has just filled and checked against go.sum: what is built is what is
# tested, and nobody is asked about a module that lies here. That is also why no checksum database is asked again.
xcaddy: ## builds the same with xcaddy, as others do with the plugin
	$(GO) mod download
	GOSUMDB=off GOPROXY="file://$$($(GO) env GOMODCACHE)/cache/download,off" \
	$(GO) tool xcaddy build "$$($(GO) list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)" \
		--with $(MODULE)/caddymodule --replace $(MODULE)=. --output $(CADDY)

# The tests come last, so that the last lines say how they went. The smoke of the fuzz targets is so many inputs, not so many
# seconds: Go before 1.27 at times fails a target for no more than its time being over (https://go.dev/issue/75804).
test: formatted vet lint peers ## everything CI runs
	@$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) fuzz FUZZTIME=10000x
	$(GO) test -race -timeout 40m ./...

bench: build ## measures the gateway against Caddy's plain reverse_proxy
	$(GO) run ./caddymodule/bench -caddy $(CADDY)

bench-signin: ## measures registering, signing in, tokens, introspection and refusals, alone and 64 at once
	$(GO) test ./internal/oauth -run '^$$' -bench '^Benchmark(Register|Login|CodeToToken|Refresh|Introspect|Refusal)$$' -benchtime 5s -count 3 -timeout 30m

fuzz: ## fuzzes every target there is for FUZZTIME each (10m, or a number of inputs: 20000x)
	@for directory in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		for target in $$(cat $$directory/*_test.go | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p'); do \
			echo "$$directory $$target $(FUZZTIME)"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x "$$directory" || exit 1; \
		done; \
	done

lint: ## looks for mistakes with staticcheck
	$(GO) run $(STATICCHECK) ./...

vet:
	$(GO) vet ./...

fmt: ## formats the code
	gofmt -l -w .

formatted:
	@files="$$(gofmt -l .)"; [ -z "$$files" ] || { echo "not formatted (make -f xcaddy.mk fmt does it):"; echo "$$files"; exit 1; }

# What the tests with real peers need beside Go. The npm packages themselves are installed by the tests, at pinned versions.
peers:
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer for the tests with real clients and servers"; exit 1; }
	@missing=""; for program in chromium curl jq; do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "missing:$$missing; install them for the tests with a real browser and of the README's commands"; exit 1; \
	fi
