# simile: `make run` builds and serves, `make test` checks everything. `make help` lists the targets.

PORT   ?= 8080
MODELS ?=
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_TARGETS ?= picture table filter recipe key npy
FUZZ_SECONDS ?= 60
# What `cargo fuzz` builds with, without a sanitizer: coverage for libFuzzer, checks on.
FUZZ_HOST := $(shell uname -m)-unknown-linux-gnu
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1 -Cdebug-assertions
PHOTOS ?=
FAQ    ?=

# Where simile is put is no matter of the libraries that are built into it: Faiss' own cmake would go there too.
unexport DESTDIR PREFIX

SIMILE  := target/release/simile
SOURCES := $(if $(PHOTOS)$(FAQ),\
  $(if $(PHOTOS),--index "photos=$(PHOTOS)") $(if $(FAQ),--index "faq=$(FAQ)"),\
  --index photos=samples/photos --index faq-en=samples/faq-en.csv --index faq-zh=samples/faq-zh.csv)

# What a plain `cargo build` leaves out: HEIC wants Debian's libheif-dev (scripts/install-tools). FEATURES= builds without.
FEATURES ?= heic
CARGO_FEATURES := $(if $(FEATURES),--features $(FEATURES))

# Faiss, OpenBLAS and the test runner each bring threads of their own.
export OMP_NUM_THREADS ?= 1

.PHONY: help run build test fmt lint parity bench bench-encoders bench-instructions check-aarch64 deny fuzz install schema-test load load-hour check-cuda tools test-tools deny-tools clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16
	@echo 'Variables of run: PORT=8080, PHOTOS=folder, FAQ=file.csv, MODELS=folder; of install: PREFIX, DESTDIR'

run: build ## build, serve on 127.0.0.1:8080, index the samples (or PHOTOS=, FAQ=)
	@exec $(SIMILE) serve --port $(PORT) $(if $(MODELS),--models "$(MODELS)") $(SOURCES)

build: tools ## build the program (release)
	@cargo build --release --locked $(CARGO_FEATURES)

test: test-tools ## check format, lint, run every test
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked $(CARGO_FEATURES) -- -D warnings
	cargo check --release --locked --manifest-path fuzz/Cargo.toml
	cargo nextest run --release --workspace --locked $(CARGO_FEATURES)
	@QUICK=1 scripts/schema-test $(SIMILE)
	@if cargo deny --version >/dev/null 2>&1; then $(MAKE) --no-print-directory deny; else echo 'cargo-deny is not installed: make deny installs it'; fi

parity: tools ## compare encoders with their originals on real weights
	cargo test --release --locked $(CARGO_FEATURES) --test parity -- --nocapture --test-threads 1

bench: build ## print the figures of docs/benchmarks.md
	$(SIMILE) bench

bench-encoders: build ## encoders beside torch, ONNX Runtime and OpenVINO (ARGS="--quick --only resnet50/bf16")
	@scripts/bench-encoders/run --simile $(SIMILE) $(ARGS)

bench-instructions: ## instructions of the AVX2 and portable kernels, by callgrind, beside the committed ones
	@scripts/bench-instructions

check-aarch64: ## compile the kernels for aarch64 (only compiled here, never run)
	rustup target add aarch64-unknown-linux-gnu
	cargo check -p simile-compute --locked --target aarch64-unknown-linux-gnu

install: ## install what was built: program, man pages, completions, unit (PREFIX=/usr/local, DESTDIR=)
	@[ -x $(SIMILE) ] || $(MAKE) build
	@packaging/install $(SIMILE) "$(PREFIX)" "$(DESTDIR)"

schema-test: build ## hold a running server to its OpenAPI document (schemathesis from PyPI, minutes)
	@scripts/schema-test $(SIMILE)

load: build ## requests per second, latencies and memory under load (wrk; two minutes a line, SECONDS=10 for less)
	@scripts/load $(SIMILE)

load-hour: build ## an hour of searches, uploads and deletions: fails when memory grows (wrk, MINUTES=60)
	@scripts/load --hour $(SIMILE)

check-cuda: tools ## compile the feature cuda, NVIDIA's compiler from PyPI where there is none (minutes, 0.6 GB)
	@scripts/check-cuda

deny: deny-tools ## check licences, duplicates and sources of dependencies; known weaknesses where their list can be reached
	cargo deny --log-level error --locked check --hide-inclusion-graph licenses bans sources
	@if timeout 60 git ls-remote -q https://github.com/rustsec/advisory-db HEAD >/dev/null 2>&1; \
	then cargo deny --log-level error --locked check --hide-inclusion-graph advisories; \
	else echo 'advisories: not checked, their database (github.com/rustsec/advisory-db) cannot be reached from here'; fi

fuzz: tools ## feed the readers of foreign bytes with what breaks them, a minute each (FUZZ_SECONDS=60)
	cd fuzz && RUSTC_BOOTSTRAP=1 RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --release --locked --target $(FUZZ_HOST)
	@for target in $(FUZZ_TARGETS); do \
	  found=fuzz/corpus-found/$$target; mkdir -p $$found; echo "fuzz: $$target"; \
	  seeds=fuzz/corpus/$$target; [ -d $$seeds ] || seeds=tests/fixtures/photos/formats; \
	  fuzz/target/$(FUZZ_HOST)/release/$$target $$found $$seeds -max_total_time=$(FUZZ_SECONDS) -timeout=20 \
	    -rss_limit_mb=3072 -max_len=65536 -print_final_stats=1 -verbosity=0 -print_funcs=0 -artifact_prefix=$$found- || exit 1; \
	done

fmt: ## format the code
	cargo fmt --all

lint: tools ## lint, warnings denied
	cargo clippy --release --workspace --all-targets --locked $(CARGO_FEATURES) -- -D warnings

tools: ## install what the build needs
	@scripts/install-tools build

test-tools: ## install what the tests need
	@scripts/install-tools test

deny-tools: tools
	@scripts/install-tools deny

clean: ## remove what was built
	cargo clean
