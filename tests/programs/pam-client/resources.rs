//! What a process holds: threads, descriptors, mappings, memory; proc(5).

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use harness::eventually::pause;

pub(crate) struct Count {
    threads: usize,
    /// Number and target of each descriptor.
    descriptors: BTreeSet<String>,
}

impl Count {
    pub(crate) fn now() -> Self {
        let own = "/proc/self/fd";
        let descriptors = fs::read_dir(own).expect(own).flatten().filter_map(|entry| {
            let target = fs::read_link(entry.path()).ok()?.display().to_string();
            // The folder that is being read has a descriptor of its own.
            let reading = target.starts_with("/proc/");
            (!reading).then(|| format!("{} {target}", entry.file_name().to_string_lossy()))
        });
        let descriptors = descriptors.collect();
        Self { threads: threads(), descriptors }
    }

    /// As [`Self::now`], once a thread that was joined has left the table of the kernel too,
    /// which takes it a moment.
    pub(crate) fn settled(before: &Self) -> Self {
        for _ in 0..200 {
            if threads() <= before.threads {
                break;
            }
            pause(Duration::from_millis(1));
        }
        Self::now()
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

fn threads() -> usize {
    fs::read_dir("/proc/self/task").expect("the threads").count()
}

/// Resident memory that belongs to the process alone.
pub(crate) fn memory_kib() -> i64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("RssAnon");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}
