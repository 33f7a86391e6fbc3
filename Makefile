# Each recipe installs what it needs (Debian packages, as root), builds, and runs to the end.
.PHONY: demo test bench lint fmt

demo:   ## log in to a PostgreSQL with a token, and see what refusals look like
	tests/install.sh demo
	cargo build --locked --release -p pam-oauth2
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin demo

test:   ## everything; PROPTEST_CASES=100000 makes the property tests longer
	tests/install.sh test
	cargo test --locked --workspace

bench:  ## what a login costs; PEER_PAM_MODULE=/path/to/other.so compares, RUNS=300 by default
	tests/install.sh demo
	cargo build --locked --release -p pam-oauth2
	cargo build --locked -p e2e --bins
	cargo run --quiet --locked -p e2e --bin bench

lint:   ## what CI checks before it tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p pam-oauth2 --features panic-injection -- -D warnings

fmt:
	cargo fmt --all
