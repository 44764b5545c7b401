# Every target needs Go alone, if nothing else is said. make deps installs the rest.

GO        ?= go
FUZZTIME  ?= 10s
DRAWS     ?= 3000
BENCH     ?= ^Benchmark(Seal|DecodeVerify|Append|AppendAll|AppendDurable|Read|Since|Receive|Sync|Updates|SendOne|TwoNodes|Direct)$$
BENCHTIME ?= 0.3s
COUNT     ?= 6
ROOM_NODES ?= 30
TABLES    ?= 100
TABLE_NODES ?= 100
CROSS     ?= $(PLATFORMS)
BACKDATED ?= 1000000
BASELINE  ?= docs/performance/baseline.txt
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# What runs under the race detector in make test; make race takes everything.
RACE_PACKAGES = $(filter-out %/netns %/testrun %/meta,$(shell $(GO) list ./internal/... ./dht/... ./node/... ./chat/... ./api/... ./registrar/...))

BIN   := $(CURDIR)/bin
TOOLS := $(BIN)/gofumpt $(BIN)/staticcheck

.PHONY: all build test lint check race-fast race crash cross explore fuzz bench soak gen deps release release-check clean
all: build

build:
	$(GO) build -o $(BIN)/ ./cmd/...

# All that must hold before a change lands: under 20 minutes on two cores from an empty cache.
test: lint check race-fast
	$(MAKE) cross CROSS='darwin/arm64 windows/amd64'

lint: $(TOOLS)
	@bad=$$($(BIN)/gofumpt -l $$(git ls-files -co --exclude-standard '*.go' | grep -v '\.pb\.go$$\|\.connect\.go$$')); \
		test -z "$$bad" || { echo "gofumpt would change: $$bad"; exit 1; }
	$(GO) vet ./...
	$(BIN)/staticcheck ./...

check:
	$(GO) run ./internal/testrun -timeout 20m ./...

# The race detector needs a C compiler; without one this group does not run.
race-fast:
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ]; then \
		$(GO) run ./internal/testrun -race -short -timeout 25m $(RACE_PACKAGES); \
	else \
		echo "groups: race did not run: no C compiler (make deps installs one)"; test "$$CI" != true; \
	fi

race:
	$(GO) run ./internal/testrun -race -timeout 30m ./...

# crash looks at what kills and losses of power leave of a store, after each write, and kills real nodes with kill -9 in every phase of their life, CRASH_ROUNDS times; CRASH_SEED repeats phases and delays.
crash: export CRASH_ROUNDS ?= 1000
crash:
	$(GO) test ./internal/eventlog -run '^TestCrashLaboratory$$' -count 1 -timeout 24h -v
	$(GO) test ./cmd/parley -run '^TestCrash' -count 1 -timeout 24h -v

# The tools are pinned in a module of their own and built with Go alone.
$(BIN)/gofumpt: tools/go.mod
	cd tools && $(GO) build -o $@ mvdan.cc/gofumpt
$(BIN)/staticcheck: tools/go.mod
	cd tools && $(GO) build -o $@ honnef.co/go/tools/cmd/staticcheck
$(BIN)/benchstat: tools/go.mod
	cd tools && $(GO) build -o $@ golang.org/x/perf/cmd/benchstat
# buf takes two minutes to build: only make gen asks for it.
$(BIN)/buf: tools/go.mod
	cd tools && $(GO) build -o $@ github.com/bufbuild/buf/cmd/buf
# The generators have the version of the libraries their code runs on.
$(BIN)/protoc-gen-go: go.mod
	$(GO) build -o $@ google.golang.org/protobuf/cmd/protoc-gen-go
$(BIN)/protoc-gen-connect-go: go.mod
	$(GO) build -o $@ connectrpc.com/connect/cmd/protoc-gen-connect-go

# gen writes what is generated: the API's code and the table of error codes.
gen: $(BIN)/buf $(BIN)/protoc-gen-go $(BIN)/protoc-gen-connect-go
	PATH=$(BIN):$$PATH $(BIN)/buf lint
	PATH=$(BIN):$$PATH $(BIN)/buf generate
	$(GO) test ./internal/meta -run TestErrorCodes -update

# explore has each property test draw DRAWS times, from a seed of its own that a failure tells.
explore:
	$(GO) test $$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l 'rapid\.Check(' | xargs -n1 dirname | sort -u | sed 's,^,./,') \
		-count 1 -timeout 10h -rapid.seed=0 -rapid.checks=$(DRAWS)

# fuzz runs each fuzz target for FUZZTIME.
fuzz:
	@set -e; for dir in $$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do \
		for target in $$($(GO) test -list '^Fuzz' ./$$dir | grep '^Fuzz'); do \
			echo "== $$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$dir; \
		done; \
	done

# bench prints the benchmarks BENCH, those of a message's way and of reconciliation, each COUNT times, and compares with the committed
# baseline: three minutes on two cores. BENCH=. takes all; those of large stores take as long each.
bench: $(BIN)/benchstat
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) -count $(COUNT) -p 1 \
		$$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -l '^func Benchmark' | xargs -n1 dirname | sort -u | sed 's,^,./,') | tee bench.new
	@if [ -f $(BASELINE) ]; then $(BIN)/benchstat $(BASELINE) bench.new; else $(BIN)/benchstat bench.new; fi

# soak plays the life of a room of ROOM_NODES nodes, in fake time, has TABLES tables and TABLE_NODES nodes find each other, and a store take BACKDATED events of as many authors: it takes long.
soak:
	TABLE_NODES=$(TABLE_NODES) $(GO) test ./node -run TestMembersFindEachOther -v -timeout 3h
	TABLES=$(TABLES) $(GO) test ./dht -run TestManyTables -v -timeout 3h
	BACKDATED=$(BACKDATED) $(GO) test ./internal/eventlog -run TestBackdatedEvents -v -timeout 3h
	ROOM_NODES=$(ROOM_NODES) $(GO) test ./chat -run TestARoomLosesNothing -v -timeout 3h

# cross vets code and tests for the platforms this machine is not. No file of ours is of one architecture, so make test
# takes each system once: what an architecture adds is hundreds of libraries to compile.
cross:
	@set -e; for p in $(CROSS); do \
		[ $$p != $$($(GO) env GOHOSTOS)/$$($(GO) env GOHOSTARCH) ] || continue; \
		echo "== $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) vet ./...; \
	done

# release-check builds the release twice, in fresh clones of different paths and with build caches of their own, and
# compares the checksums: whoever has the source can tell whether a program was built from it. It takes long:
# PLATFORMS=linux/amd64 does it for one.
release-check:
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	commit=$$(git rev-parse HEAD); \
	for at in one another/path; do \
		git clone -q --no-hardlinks . "$$tmp/$$at/parley"; \
		git -C "$$tmp/$$at/parley" checkout -q --detach $$commit; \
		GOCACHE="$$tmp/$$at/cache" $(MAKE) -C "$$tmp/$$at/parley" release PLATFORMS='$(PLATFORMS)' >"$$tmp/log" || { cat "$$tmp/log"; exit 1; }; \
		rm -rf "$$tmp/$$at/cache"; \
	done; \
	cmp "$$tmp/one/parley/dist/SHA256SUMS" "$$tmp/another/path/parley/dist/SHA256SUMS"; \
	cat "$$tmp/one/parley/dist/SHA256SUMS"; \
	echo "the release is reproducible: two builds of $$commit, one result"

# release writes the programs of all PLATFORMS and their checksums to dist/. They tell as their version what git calls
# the commit: the tag v1.2.3 is 1.2.3; anything else has the commit in it.
release: RELEASE := $(patsubst v%,%,$(shell git describe --tags --always --dirty 2>/dev/null || true))
release:
	rm -rf dist && mkdir dist
	@set -e; for p in $(PLATFORMS); do \
		os=$${p%/*}; arch=$${p#*/}; ext=; [ $$os != windows ] || ext=.exe; \
		echo "== $$os $$arch"; \
		GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -buildid= -X main.release=$(RELEASE)' -o dist/parley-$$os-$$arch$$ext ./cmd/parley; \
	done
	cd dist && sha256sum parley-* > SHA256SUMS && cat SHA256SUMS

# deps downloads modules and, as root on Debian, installs what the test groups need.
deps:
	$(GO) mod download
	$(MAKE) $(TOOLS)
	@missing=; \
	command -v ip >/dev/null || missing="$$missing iproute2"; \
	command -v iptables >/dev/null && command -v ip6tables >/dev/null || missing="$$missing iptables"; \
	command -v mkfs.ext4 >/dev/null || missing="$$missing e2fsprogs"; \
	command -v cc >/dev/null || command -v gcc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v node >/dev/null && command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	test -x "$${CHROMIUM:-/usr/bin/chromium}" || missing="$$missing chromium"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update && apt-get install -y --no-install-recommends $$missing; \
	else echo "make deps: not installed, some test groups will not run:$$missing"; fi
	@if command -v npm >/dev/null; then cd testdata/interop && npm ci --ignore-scripts; fi

clean:
	rm -rf bin dist bench.new
