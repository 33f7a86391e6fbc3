//! What a process holds: threads, descriptors, mappings, memory; proc(5).

use std::collections::BTreeSet;
use std::fs;

pub(crate) struct Count {
    threads: usize,
    /// Number and target of each descriptor, but for the socket that syslog(3) keeps.
    descriptors: BTreeSet<String>,
}

impl Count {
    pub(crate) fn now() -> Self {
        let own = "/proc/self/fd";
        let descriptors = fs::read_dir(own).expect(own).flatten().filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?.display().to_string();
            // The folder that is being read has a descriptor of its own.
            let reading = target.starts_with("/proc/");
            (!reading && !is_syslog(&target))
                .then(|| format!("{} {target}", entry.file_name().to_string_lossy()))
        });
        let descriptors = descriptors.collect();
        let threads = fs::read_dir("/proc/self/task").expect("the threads").count();
        Self { threads, descriptors }
    }

    pub(crate) fn print_growth(before: &Self, after: &Self) {
        println!("threads-left {}", after.threads.saturating_sub(before.threads));
        let left: Vec<_> = after.descriptors.difference(&before.descriptors).collect();
        println!("descriptors-left {}", left.len());
        for descriptor in left {
            println!("descriptor {descriptor}");
        }
        let maps = fs::read_to_string("/proc/self/maps").expect("the mappings");
        println!("mapped {}", maps.contains("pam_oauth2.so"));
    }
}

/// Whether it is a datagram socket of the Unix domain: unix(7) in /proc/net/unix, type 0002.
fn is_syslog(target: &str) -> bool {
    let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'))
    else {
        return false;
    };
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(6) == Some(&inode) && fields.get(4) == Some(&"0002")
    })
}

/// Resident memory that belongs to the process alone.
pub(crate) fn memory_kib() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}
