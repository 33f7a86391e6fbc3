//! A seccomp(2) filter that makes system calls fail with EPERM, as a container may.

/// Forbids these calls from now on, for good.
pub(crate) fn forbid(names: &[String]) {
    if names.is_empty() {
        return;
    }
    let calls: Vec<u32> = names.iter().map(|name| number(name)).collect();
    // Classic BPF over `struct seccomp_data`, whose first field is the number of the call.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for (index, call) in calls.iter().enumerate() {
        let to_the_end = u8::try_from(calls.len() - index).expect("few calls");
        program.push(libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: to_the_end,
            jf: 0,
            k: *call,
        });
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    let refusal = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
    program.push(statement(libc::BPF_RET | libc::BPF_K, refusal));
    let length = u16::try_from(program.len()).expect("a short program");
    let filter = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: prctl(2) with integers.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(unprivileged, 0, "PR_SET_NO_NEW_PRIVS");
    // SAFETY: the filter and its program live through the call, which copies them.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
    assert_eq!(set, 0, "PR_SET_SECCOMP: {}", std::io::Error::last_os_error());
}

fn statement(code: u32, operand: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: operand }
}

fn number(name: &str) -> u32 {
    let number = match name {
        "clone" => libc::SYS_clone,
        "clone3" => libc::SYS_clone3,
        "connect" => libc::SYS_connect,
        "epoll_create1" => libc::SYS_epoll_create1,
        "eventfd2" => libc::SYS_eventfd2,
        "getrandom" => libc::SYS_getrandom,
        "socket" => libc::SYS_socket,
        other => panic!("unknown system call {other}"),
    };
    u32::try_from(number).expect("a small number")
}
