//! Many clients at once, as one process: each speaks the protocol of PostgreSQL byte by byte,
//! without TLS, up to the verdict about its login.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One client.
#[derive(Clone, Debug)]
pub struct Client {
    pub user: String,
    pub token: String,
}

/// How it went.
#[derive(Clone, Debug)]
pub struct Answer {
    pub accepted: bool,
    /// What the server said, where it refused.
    pub complaint: String,
    /// From the question for the password, which the module asks as its hook is entered, to the
    /// verdict.
    pub elapsed: Duration,
}

/// Far beyond any deadline of a login.
const PATIENCE: Duration = Duration::from_secs(120);

/// All log in at once, to the database `raw` at this port; the answers are in the same order.
pub fn log_in(port: u16, clients: &[Client]) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let logins: Vec<_> = clients
            .iter()
            .cloned()
            .map(|client| {
                tokio::spawn(async move { tokio::time::timeout(PATIENCE, one(port, client)).await })
            })
            .collect();
        let mut answers = Vec::new();
        for login in logins {
            let answer = login.await.expect("a client does not panic");
            answers
                .push(answer.expect("every login ends").expect("the server speaks its protocol"));
        }
        answers
    })
}

async fn one(port: u16, client: Client) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let body = format!("user\0{}\0database\0raw\0\0", client.user);
    let length = u32::try_from(body.len() + 8).expect("a short message");
    // Protocol 3.0.
    let start = [&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), body.as_bytes()].concat();
    stream.write_all(&start).await?;
    let (kind, question) = message(&mut stream).await?;
    // AuthenticationCleartextPassword.
    if (kind, question.as_slice()) != (b'R', &[0, 0, 0, 3]) {
        let complaint = String::from_utf8_lossy(&question).replace('\0', " ");
        return Ok(Answer { accepted: false, complaint, elapsed: Duration::ZERO });
    }
    let asked = Instant::now();
    let length = u32::try_from(client.token.len() + 5).expect("a token");
    let password = [b"p", &length.to_be_bytes()[..], client.token.as_bytes(), b"\0"].concat();
    stream.write_all(&password).await?;
    let (kind, answer) = message(&mut stream).await?;
    Ok(Answer {
        // AuthenticationOk.
        accepted: (kind, answer.as_slice()) == (b'R', &[0, 0, 0, 0]),
        complaint: String::from_utf8_lossy(&answer).replace('\0', " "),
        elapsed: asked.elapsed(),
    })
}

async fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let mut body = vec![0; usize::try_from(length).unwrap_or_default().saturating_sub(4)];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}
