# Each recipe installs what it needs (Debian packages, as root), builds, and runs to the end.
.PHONY: demo test bench fuzz mutants lint fmt

demo:   ## log in to a PostgreSQL with a token, and see what refusals look like
	tests/install.sh demo
	cargo build --locked --release -p pam-oauth2
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin demo

test:   ## everything; PROPTEST_CASES=100000 makes the property tests longer
	tests/install.sh test
	cargo test --locked --workspace
	pam-oauth2/fuzz/run.sh $(or $(FUZZ_SECONDS),15)

bench:  ## what a login costs; RUNS=300, SECONDS=5; PEER_PAM_MODULE=/path/to/other.so compares
	tests/install.sh bench
	cargo build --locked --release -p pam-oauth2
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin bench

fuzz:   ## every fuzz target for FUZZ_SECONDS=600 (`make test` gives each 15)
	tests/install.sh fuzz
	pam-oauth2/fuzz/run.sh $(or $(FUZZ_SECONDS),600)

mutants: ## does each check of a token have a test? Takes hours; survivors: docs/mutants.md
	tests/install.sh fuzz
	cargo install --locked --quiet --version 27.1.0 --root target/tools cargo-mutants
	PATH="$$PWD/target/tools/bin:$$PATH" cargo mutants --package pam-oauth2 --output target

lint:   ## what CI checks before it tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p pam-oauth2 --features panic-injection -- -D warnings

fmt:
	cargo fmt --all
