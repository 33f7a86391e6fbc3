# Each recipe installs what it needs (Debian packages, as root), builds, and runs to the end.
.PHONY: demo demo-kubernetes test bench soak fuzz mutants packages lint fmt

demo:   ## from a team to a login with a token, what refusals look like, and how somebody leaves
	tests/install.sh demo
	cargo build --locked --release -p pam-oauth2
	cargo build --locked -p teams-sync
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin demo

demo-kubernetes: ## a cluster from its manifest to a login by token, and to another primary
	tests/install.sh demo-kubernetes
	cargo build --locked --release -p pam-oauth2
	cargo build --locked -p operator -p teams-sync
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin demo-kubernetes

test:   ## everything; PROPTEST_CASES=100000 and MODEL_SECONDS=600 make some of it longer
	tests/install.sh test
	cargo test --locked --workspace -- --skip operator_
	# The others: they wait for servers most of the time.
	cargo test --locked --workspace -- operator_ --test-threads $(or $(OPERATOR_TEST_THREADS),4)
	pam-oauth2/fuzz/run.sh $(or $(FUZZ_SECONDS),15)

bench:  ## what a login, a sync and an operator cost; RUNS=300, SECONDS=5, SYNCS=5, CLUSTERS=1000, STARTS=3; PEER_PAM_MODULE=/path/to/other.so compares
	tests/install.sh bench
	cargo build --locked --release -p pam-oauth2
	cargo build --locked --release -p teams-sync -p operator
	cargo build --locked -p operator
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin bench

soak:   ## what has no natural end, for SOAK_SECONDS=3600: random teams, catalogs, crashes and kills
	tests/install.sh soak
	MODEL_SECONDS=$(or $(SOAK_SECONDS),3600) cargo test --locked -p e2e --test e2e -- sync_model operator_kills --nocapture
	PROPTEST_CASES=$(or $(PROPTEST_CASES),200000) cargo test --locked -p teams-sync --lib model

fuzz:   ## every fuzz target for FUZZ_SECONDS=600 (`make test` gives each 15)
	tests/install.sh fuzz
	pam-oauth2/fuzz/run.sh $(or $(FUZZ_SECONDS),600)

mutants: ## does each check of a token have a test? Takes hours; survivors: docs/mutants.md
	tests/install.sh fuzz
	cargo install --locked --quiet --version 27.1.0 --root target/tools cargo-mutants
	PATH="$$PWD/target/tools/bin:$$PATH" cargo mutants --package pam-oauth2 --output target

packages: ## Debian packages in target/packages: libpam-oauth2, teams-sync, ztoken
	tests/install.sh packages
	rm -rf target/packages target/manuals
	cargo build --locked --release -p pam-oauth2
	cargo build --locked --release -p pam-oauth2-check
	cargo build --locked --release -p teams-sync
	cargo build --locked --release -p ztoken
	cargo run --locked --quiet -p manuals --no-default-features -- target/manuals $$(git log -1 --format=%cs)
	packaging/deb/build.sh $(or $(CARGO_TARGET_DIR),target)/release target/manuals target/packages

lint:   ## what CI checks before it tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p pam-oauth2 --features panic-injection -- -D warnings

fmt:
	cargo fmt --all
