//! A program that behaves as an agent towards its launcher, and misbehaves on demand: for tests.
//!
//! What it does is read from `behaviour` in its data folder; without that file it serves health and
//! status until SIGTERM or the end of stdin.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an agent speaks on both"
)]

use std::io::{BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1))
            .cloned()
            .unwrap_or_default()
    };
    let data_dir = PathBuf::from(value("--data-dir"));
    std::fs::create_dir_all(&data_dir).expect("the data folder can be made");
    let mut starts = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(data_dir.join("starts"))
        .expect("the data folder takes files");
    writeln!(starts, "{}", arguments[1..].join(" ")).expect("the data folder takes files");
    match std::fs::read_to_string(data_dir.join("behaviour"))
        .unwrap_or_default()
        .trim()
    {
        "crash" => {
            eprintln!("this agent crashes at once");
            std::process::exit(101);
        }
        "newer" => {
            eprintln!("error: MD-303: the data folder was written by version 9");
            std::process::exit(3);
        }
        "locked" => {
            eprintln!("error: MD-304: another process uses the data folder");
            std::process::exit(3);
        }
        "babble" => println!("hello"),
        _ => serve(&value("--listen"), &value("--token-file"), &data_dir),
    }
}

fn serve(listen: &str, token_file: &str, data_dir: &std::path::Path) {
    let listener = TcpListener::bind(listen).expect("the address is free");
    let token = std::fs::read_to_string(token_file).expect("the launcher wrote the token");
    let line = format!(
        r#"{{"listening":"http://{}","version":"{}","pid":{},"dataDir":{:?},"tokenFile":""}}"#,
        listener
            .local_addr()
            .expect("a bound listener has an address"),
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        data_dir.to_string_lossy(),
    );
    eprintln!("ready");
    println!("{line}");
    std::thread::spawn(follow_stdin);
    for stream in listener.incoming().flatten() {
        answer(stream, token.trim());
    }
}

fn follow_stdin() {
    let mut keep = false;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        keep = line == "keep";
    }
    if !keep {
        std::process::exit(0);
    }
}

fn answer(mut stream: TcpStream, token: &str) {
    let mut bytes = [0; 2048];
    let read = stream.read(&mut bytes).unwrap_or(0);
    let request = String::from_utf8_lossy(&bytes[..read]).to_lowercase();
    let body = format!(
        r#"{{"version":"{}","pid":{}}}"#,
        env!("CARGO_PKG_VERSION"),
        std::process::id()
    );
    let text = if request.starts_with("get /health/live") {
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
    } else if request.contains(&format!("authorization: bearer {token}\r\n")) {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    } else {
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned()
    };
    let _ = stream.write_all(text.as_bytes());
}
