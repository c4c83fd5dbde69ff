# simile: `make run` builds and serves, `make test` checks everything. `make help` lists the targets.

PORT   ?= 8080
MODELS ?=
PHOTOS ?=
FAQ    ?=

SIMILE  := target/release/simile
SOURCES := $(if $(PHOTOS)$(FAQ),\
  $(if $(PHOTOS),--index "photos=$(PHOTOS)") $(if $(FAQ),--index "faq=$(FAQ)"),\
  --index photos=samples/photos --index faq-en=samples/faq-en.csv --index faq-zh=samples/faq-zh.csv)

# Faiss, OpenBLAS and the test runner each bring threads of their own.
export OMP_NUM_THREADS ?= 1

.PHONY: help run build test fmt lint parity bench tools test-tools clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14
	@echo 'Variables of run: PORT=8080, PHOTOS=folder, FAQ=file.csv, MODELS=folder'

run: build ## build, serve on 127.0.0.1:8080, index the samples (or PHOTOS=, FAQ=)
	@exec $(SIMILE) serve --port $(PORT) $(if $(MODELS),--models "$(MODELS)") $(SOURCES)

build: tools ## build the program (release)
	@cargo build --release --locked

test: test-tools ## check format, lint, run every test
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	cargo nextest run --release --workspace --locked

parity: tools ## compare encoders with their originals on real weights
	cargo test --release --locked --test parity -- --nocapture --test-threads 1

bench: build ## print the figures of docs/benchmarks.md
	$(SIMILE) bench

fmt: ## format the code
	cargo fmt --all

lint: tools ## lint, warnings denied
	cargo clippy --release --workspace --all-targets --locked -- -D warnings

tools: ## install what the build needs
	@scripts/install-tools build

test-tools: ## install what the tests need
	@scripts/install-tools test

clean: ## remove what was built
	cargo clean
