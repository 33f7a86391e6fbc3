//! hosts(5).

use std::net::IpAddr;

/// All addresses that the file gives to `name`, in its order.
pub(super) fn addresses(file: &[u8], name: &str) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    String::from_utf8_lossy(file)
        .lines()
        .filter_map(|line| {
            let line = line.split('#').next()?;
            let mut words = line.split_ascii_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|alias| alias.eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_names_the_host_counts() {
        let file = b"# 192.0.2.9 info\n127.0.0.1 localhost\n192.0.2.1\tInfo.example.com info # x\n\
            2001:db8::1 info.example.com\nnonsense info.example.com\n192.0.2.2 xinfo.example.com\n\xff";
        let expected: Vec<IpAddr> =
            ["192.0.2.1", "2001:db8::1"].map(|a| a.parse().unwrap()).to_vec();
        assert_eq!(addresses(file, "info.example.com"), expected);
        assert_eq!(addresses(file, "INFO.EXAMPLE.COM."), expected);
        assert_eq!(addresses(file, "absent"), [] as [IpAddr; 0]);
    }
}
