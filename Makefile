# Each recipe installs what it needs (Debian packages, as root), builds, and runs to the end.
.PHONY: demo demo-kubernetes test test-shipped bench soak fuzz mutants docs image-roots manifests packages lint fmt deny advisories reference sbom reproducible release-files release-notes
cargo_deny = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/blue-elephant/cargo-deny-$(shell sed -n 's/^cargo_deny=//p' tests/install.sh)/cargo-deny
waits = control_plane node_agent operator_ packages supply_chain sync_ ztoken
mdbook = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/blue-elephant/mdbook-$(shell sed -n 's/^mdbook=//p' tests/install.sh)/mdbook

demo:   ## from a team to a login with a token, what refusals look like, and how somebody leaves
	tests/install.sh demo
	packaging/build.sh -p pam-oauth2
	cargo build --locked --workspace --bins
	cargo run --quiet --locked -p e2e --bin demo

demo-kubernetes: ## a cluster from its manifest to a login by token, and to another primary
	tests/install.sh demo-kubernetes
	packaging/build.sh -p pam-oauth2
	cargo build --locked --workspace --bins
	cargo run --quiet --locked -p e2e --bin demo-kubernetes

test:   ## everything; PROPTEST_CASES=100000 and MODEL_SECONDS=600 make some of it longer
	tests/install.sh test
	packaging/build.sh -p pam-oauth2
	cargo build --locked --workspace --bins
	# What is about time, and needs the processors for itself.
	cargo test --locked --workspace -- $(waits:%=--skip %)
	# The others: they wait for servers most of the time.
	cargo test --locked --workspace -- $(waits) --test-threads $(or $(WAITING_TEST_THREADS),4)
	pam-oauth2/fuzz/run.sh $(or $(FUZZ_SECONDS),10)

test-shipped: packages image-roots ## the packages and the trees of images that these make, tried as debug builds are by `make test`
	tests/install.sh test
	SHIPPED=yes cargo test --locked -p e2e --test e2e -- images licences packages supply_chain ztoken

bench:  ## what a login, a sync and an operator cost; RUNS=300, SECONDS=5, SYNCS=5, CLUSTERS=1000, STARTS=3; PEER_PAM_MODULE=/path/to/other.so compares
	tests/install.sh bench
	packaging/build.sh -p pam-oauth2
	packaging/build.sh -p teams-sync
	packaging/build.sh -p operator
	cargo build --locked --workspace --bins
	cargo run --quiet --locked -p e2e --bin bench

soak:   ## what has no natural end, for SOAK_SECONDS=3600: random teams, catalogs, crashes and kills
	tests/install.sh soak
	MODEL_SECONDS=$(or $(SOAK_SECONDS),3600) cargo test --locked -p e2e --test e2e -- sync_model operator_kills --nocapture
	PROPTEST_CASES=$(or $(PROPTEST_CASES),200000) cargo test --locked -p teams-sync --lib model

fuzz:   ## every fuzz target for FUZZ_SECONDS=600 (`make test` gives each 10)
	tests/install.sh fuzz
	pam-oauth2/fuzz/run.sh $(or $(FUZZ_SECONDS),600)

mutants: ## does each check of a token have a test? Takes hours; survivors: docs/mutants.md
	tests/install.sh fuzz
	cargo install --locked --quiet --version 27.1.0 --root target/tools cargo-mutants
	PATH="$$PWD/target/tools/bin:$$PATH" cargo mutants --package pam-oauth2 --output target

docs:   ## the book, in target/book/index.html; `make test` builds it as well, and tries what it says
	tests/install.sh docs
	"$(mdbook)" build docs

packages: ## Debian packages in target/packages: libpam-oauth2, teams-sync, ztoken
	tests/install.sh packages
	rm -rf target/packages target/manuals
	packaging/build.sh -p pam-oauth2
	packaging/build.sh -p pam-oauth2-check
	packaging/build.sh -p teams-sync
	packaging/build.sh -p ztoken
	date=$$(git log -1 --format=%cs) && cargo run --locked --quiet -p manuals --no-default-features -- target/manuals "$$date"
	packaging/deb/build.sh $(or $(CARGO_TARGET_DIR),target)/release target/manuals target/packages

image-roots: ## what the images of packaging/images hold, in target/image-roots
	tests/install.sh image-roots
	packaging/build.sh -p pam-oauth2
	packaging/build.sh -p pam-oauth2-check
	packaging/build.sh -p operator
	packaging/build.sh -p teams-sync
	packaging/images/roots.sh "$${CARGO_TARGET_DIR:-target}/release" target/image-roots

manifests: ## makes anew what of packaging/ is made from the code and from the chart
	tests/install.sh manifests
	REGENERATE=yes cargo test --locked -p e2e --test e2e -- --exact manifests::what_is_made_from_something_is_up_to_date

lint:   ## what CI checks before it tests
	tests/install.sh fuzz
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked -p pam-oauth2 --features panic-injection -- -D warnings

fmt:
	cargo fmt --all

deny:   ## licences, sources, and what is banned or there twice (deny.toml); CI checks it
	tests/install.sh deny
	$(cargo_deny) --locked check --hide-inclusion-graph -D warnings licenses bans sources

advisories: ## known holes in dependencies; fetches https://github.com/rustsec/advisory-db, so CI does not
	tests/install.sh deny
	@$(cargo_deny) fetch db || { echo "advisories: nothing was checked, as the advisory database could not be fetched (see above)" >&2; exit 1; }
	$(cargo_deny) --locked check --hide-inclusion-graph -D warnings advisories

reference: ## writes what in docs/reference is made from the code; the tests compare it
	tests/install.sh build
	REFERENCE=write cargo test --locked -p manuals -p operator -p pam-oauth2 -p teams-sync --lib -- reference

sbom:   ## target/sbom: which crates are in what ships (CycloneDX), and their licences
	tests/install.sh build
	cargo run --quiet --locked -p sbom -- target/sbom

reproducible: ## does somebody else's build of the module have the same bytes as ours? CI asks, too
	tests/install.sh build
	pam-oauth2/reproducible.sh

release-files: ## what a release publishes, with sums, in target/release-files: after `make packages sbom`
	packaging/release-files.sh target/packages target/sbom target/release-files

release-notes: ## what CHANGELOG.md says about VERSION=1.2.3
	@packaging/release-notes.sh $(VERSION)
