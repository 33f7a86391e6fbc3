//! What the images hold, tried without an image: each root tree runs by itself, as somebody who is
//! not root, where nothing can be written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use harness::bills::bills;
use harness::manifest_tools::said;
use harness::servers::Server;
use harness::workdir::Workdir;
use harness::world::Plan;
use harness::{Code, PamClient, Platform, Version, World, artifacts};

const USER: &str = "65532:65532";
/// `$1` is the root tree; then files of this machine that are seen in it as well, up to `--`; then
/// a command in it.
const INSIDE: &str = r#"
set -e
mount --make-rprivate /
root=$1
shift
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root${1%/*}"
    touch "$root$1"
    mount --bind "$1" "$root$1"
    shift
done
shift
mount -o remount,bind,ro "$root"
exec setpriv --pdeathsig KILL -- /usr/sbin/chroot --userspec=65532:65532 --groups= "$root" "$@"
"#;

/// What the trees are made from.
fn programs() -> Workdir {
    let workdir = Workdir::new();
    let programs = [
        ("operator", artifacts::operator()),
        ("teams-sync", artifacts::teams_sync()),
        ("libpam_oauth2.so", artifacts::module()),
        ("pam-oauth2-check", artifacts::check()),
    ];
    for (name, path) in programs {
        symlink(path, workdir.path().join(name)).unwrap();
    }
    workdir
}

fn make(target: &Path) {
    let script = artifacts::source().join("packaging/images/roots.sh");
    let mut command = Command::new(script);
    said(command.arg(programs().path()).arg(target).env("NOTICES", bills())).unwrap();
}

/// The trees, made once; those of `make image-roots` where it is what ships that is tested.
pub(crate) fn roots() -> &'static Path {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        if artifacts::are_shipped() {
            return artifacts::target().join("image-roots");
        }
        let folder = artifacts::target().join("image-roots-of-tests");
        // Whatever is there is removed first.
        fs::create_dir_all(folder.join("old")).unwrap();
        make(&folder);
        folder
    })
}

/// A copy of one, that nobody else writes to.
fn copy(image: &str, workdir: &Workdir) -> PathBuf {
    let root = workdir.path().join(image);
    said(Command::new("cp").arg("-a").arg(roots().join(image)).arg(&root)).unwrap();
    root
}

/// A command in a tree.
fn inside(mut unshare: Command, root: &Path, files: &[&Path]) -> Command {
    unshare.args(["--mount", "--", "sh", "-c", INSIDE, "inside"]).arg(root).args(files).arg("--");
    unshare
}

/// What is in a tree: mode, owner, time, and what a file holds.
fn listing(root: &Path) -> BTreeMap<String, (u32, u32, u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let metadata = entry.path().symlink_metadata().unwrap();
            assert!(!metadata.is_symlink(), "{}", entry.path().display());
            let content = if metadata.is_dir() {
                folders.push(entry.path());
                Vec::new()
            } else {
                fs::read(entry.path()).unwrap()
            };
            let path = entry.path().strip_prefix(root).unwrap().display().to_string();
            let facts =
                (metadata.mode(), metadata.uid(), metadata.gid(), metadata.mtime(), content);
            found.insert(path, facts);
        }
    }
    found
}

#[test]
fn made_twice_the_trees_are_the_same_and_nothing_of_before_is_left() {
    let workdir = Workdir::new();
    let again = workdir.path().join("again");
    make(&again);
    let mut images: Vec<_> =
        fs::read_dir(roots()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    images.sort();
    assert_eq!(images, ["operator", "spilo", "teams-sync"]);
    for image in images {
        // Not assert_eq, which would print all of libc.
        assert!(listing(&roots().join(&image)) == listing(&again.join(&image)), "{image:?}");
    }
}

#[test]
fn the_trees_have_what_is_needed_and_no_shell() {
    let own = |image: &str| {
        let all = listing(&roots().join(image));
        for (path, (mode, user, group, ..)) in &all {
            assert_eq!((mode & 0o7022, *user, *group), (0, 0, 0), "{image}: {path} {mode:o}");
        }
        let is_file = |mode: &u32| mode & libc::S_IFMT == libc::S_IFREG;
        let files = all.into_iter().filter(|(_, (mode, ..))| is_file(mode));
        let names = files.map(|(path, _)| path).filter(|path| !path.starts_with("usr/share/doc/"));
        names.collect::<Vec<_>>()
    };
    for image in ["operator", "teams-sync"] {
        let mut wanted = vec![
            "etc/group".to_owned(),
            "etc/nsswitch.conf".to_owned(),
            "etc/passwd".to_owned(),
            "etc/ssl/certs/ca-certificates.crt".to_owned(),
            format!("usr/bin/{image}"),
        ];
        let (libraries, mut others): (Vec<_>, Vec<_>) =
            own(image).into_iter().partition(|path| path.starts_with("lib"));
        others.sort();
        wanted.sort();
        assert_eq!(others, wanted);
        let known = ["ld-linux", "libc.so.6", "libgcc_s.so.1", "libm.so.6"];
        for library in &libraries {
            let name = library.rsplit('/').next().unwrap();
            assert!(known.iter().any(|known| name.starts_with(known)), "{library}");
        }
        assert!(libraries.len() >= 2, "{libraries:?}");
    }
    let spilo = own("spilo");
    assert_eq!(spilo.len(), 2, "{spilo:?}");
    assert_eq!(spilo[0], "usr/bin/pam-oauth2-check");
    assert!(spilo[1].ends_with("-linux-gnu/security/pam_oauth2.so"), "{spilo:?}");
}

#[test]
fn a_dockerfile_copies_and_does_nothing_else() {
    for (image, wanted) in [
        ("operator", vec!["FROM scratch", "COPY --chown=0:0 . /", "USER 65532:65532"]),
        ("teams-sync", vec!["FROM scratch", "COPY --chown=0:0 . /", "USER 65532:65532"]),
        ("spilo", vec!["ARG SPILO_IMAGE", "FROM ${SPILO_IMAGE}", "COPY --chown=0:0 . /"]),
    ] {
        let path = artifacts::source().join(format!("packaging/images/{image}/Dockerfile"));
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
        let (first, rest) = lines.split_at(3);
        assert_eq!(first, wanted);
        let entry = format!("ENTRYPOINT [\"/usr/bin/{image}\"]");
        let start = [entry.as_str(), "CMD [\"run\"]"];
        assert_eq!(rest, if image == "spilo" { &[][..] } else { &start });
        assert!(image == "spilo" || USER == first[2].trim_start_matches("USER "));
    }
}

#[test]
fn the_programs_run_in_their_trees_alone() {
    for image in ["operator", "teams-sync"] {
        let workdir = Workdir::new();
        let root = copy(image, &workdir);
        let run = |argument: &str| {
            let mut command = inside(Command::new("unshare"), &root, &[]);
            command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
            said(command.arg(format!("/usr/bin/{image}")).arg(argument))
        };
        assert!(run("--version").unwrap().starts_with(image));
        assert!(run("--help").unwrap().contains("Usage:"));
        // There is nothing else to start.
        let mut shell = inside(Command::new("unshare"), &root, &[]);
        let error = said(shell.args(["/bin/sh", "-c", "id"])).unwrap_err();
        assert!(error.contains("No such file"), "{error}");
    }
}

/// By name, so that the C library looks into /etc/hosts, as it is in a pod.
#[test]
fn teams_sync_brings_a_server_in_line_out_of_its_tree() {
    let server = Server::start(Version::V15);
    let workdir = Workdir::new();
    let root = copy("teams-sync", &workdir);
    let teams = workdir.file("teams.toml", "[teams]\nacid = [\"alice\"]\ndba = []\n");
    let dsn = server.tcp_dsn("postgres").replace("127.0.0.1", "localhost");
    let configuration = workdir.file(
        "teams-sync.toml",
        format!(
            "[source.file]\npath = {teams:?}\n[humans]\npam_role = \"users\"\n\
             [[server]]\nname = \"orders\"\nteam = \"acid\"\ndsn = {dsn:?}\n"
        ),
    );
    let run = |verb: &str| {
        let files = [teams.as_path(), configuration.as_path(), Path::new("/etc/hosts")];
        let mut command = inside(Command::new("unshare"), &root, &files);
        command.args(["/usr/bin/teams-sync", "--config"]).arg(&configuration).arg(verb);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text + &error)
    };
    let (code, said) = run("plan");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("alice"), "{said}");
    let (code, said) = run("apply");
    assert_eq!(code, Some(0), "{said}");
    let roles = "select count(*) from pg_roles where rolname = 'alice' and rolcanlogin";
    assert_eq!(server.sql(roles), "1");
    assert_eq!(run("plan").0, Some(0));
}

#[test]
fn operator_runs_out_of_its_tree() {
    let platform = Platform::new();
    let workdir = Workdir::new();
    let root = copy("operator", &workdir);
    let operator = platform.start_in(|_| {
        let kubeconfig = platform.kubeconfig();
        let unshare = platform.network().command("unshare");
        let mut command = inside(unshare, &root, &[kubeconfig]);
        command.arg("/usr/bin/operator");
        command
    });
    platform.apply("acid-orders", &serde_json::json!({}));
    platform.wait_for("StatefulSet", "acid-orders");
    let status = fs::read_to_string(format!("/proc/{}/status", operator.running.id())).unwrap();
    for line in ["Uid:\t65532\t65532\t65532\t65532", "Groups:\t \n", "CapEff:\t0000000000000000"] {
        assert!(status.contains(line), "{line:?}: {status}");
    }
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn the_module_of_the_overlay_lets_people_in() {
    let module = listing(&roots().join("spilo")).into_keys().find(|path| path.ends_with(".so"));
    let module = roots().join("spilo").join(module.unwrap());
    let world = World::with(Plan { module, postgres: false, ..Plan::default() });
    let token = world.grant("alice");
    let client = |user: &str| {
        PamClient::new(&world.sandbox, "postgresql", user)
            .token(&token)
            .run(&["authenticate", "account"])
    };
    let alice = client("alice");
    assert_eq!(alice.codes("authenticate"), [Code::Success]);
    assert_eq!(alice.codes("account"), [Code::Success]);
    // The line says `sufficient`, and there is no other.
    assert_eq!(client("bob").codes("authenticate"), [Code::PermDenied]);
}

#[test]
fn what_asks_for_a_newer_glibc_than_that_of_spilo_gets_into_no_tree() {
    let older = |glibc: &str| {
        let (programs, target) = (programs(), Workdir::new());
        let mut script = Command::new(artifacts::source().join("packaging/images/roots.sh"));
        script.arg(programs.path()).arg(target.path().join("roots")).env("NOTICES", bills());
        said(script.env("SPILO_GLIBC", glibc))
    };
    let error = older("2.9").unwrap_err();
    assert!(error.contains("libpam_oauth2.so asks for glibc 2."), "{error}");
    assert!(error.contains("and Spilo has 2.9"), "{error}");
    older("2.100").unwrap();
}

/// Who asks for what: `LIBPAM_1.0` of libpam.so.0.
fn versions(path: &Path) -> Vec<String> {
    let output = said(Command::new("readelf").args(["--version-info", "--wide"]).arg(path));
    let output = output.unwrap();
    let names = output.lines().filter_map(|line| line.split_once("Name: ")?.1.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn what_the_overlay_asks_of_other_libraries_is_there_in_spilo() {
    // GCC 12 has libgcc; libpam 1.4.0.
    let known =
        ["LIBPAM_1.0", "LIBPAM_EXTENSION_1.0", "LIBPAM_EXTENSION_1.1", "LIBPAM_EXTENSION_1.1.1"];
    let tree = roots().join("spilo");
    let mut seen = 0;
    for path in listing(&tree).into_keys().map(|path| tree.join(path)) {
        if !path.is_file() || path.components().any(|part| part.as_os_str() == "doc") {
            continue;
        }
        let all = versions(&path);
        assert!(all.iter().any(|name| name.starts_with("GLIBC_2.")), "{}", path.display());
        for name in all.iter().filter(|name| !name.starts_with("GLIBC_")) {
            let is_known = known.contains(&name.as_str()) || name.starts_with("GCC_");
            assert!(is_known, "{}: {name}", path.display());
        }
        seen += 1;
    }
    assert_eq!(seen, 2);
}
