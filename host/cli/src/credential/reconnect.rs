//! `portcullis credential reconnect`: a token anew. Where a person has to agree, their browser is sent to the authorization
//! server and comes back to a port of this machine (RFC 8252, section 7.3).

use std::time::Duration;

use anyhow::Context;
use portcullis_runtime::{CredentialKind, Integration, Runtime};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    time::timeout,
};

use crate::{
    arguments::{Arguments, CredentialReconnect},
    exit::{Code, DONE, Usage},
    interrupt::or_given_up,
    ledger::Kept,
    look,
    progress::Spinner,
    read::{read_ceiling, retention_beside, start_with},
    who,
};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Most bytes of a browser's request that are read.
const MOST: u64 = 16 * 1024;

pub(super) async fn run(arguments: &Arguments, wanted: &CredentialReconnect) -> anyhow::Result<Code> {
    let kept = Kept::existing(arguments).await?;
    let done = or_given_up(async {
        let ceiling = read_ceiling(wanted.host.ceiling.as_deref())?;
        let retention = retention_beside(&kept.settings, wanted.host.retention.as_deref())?;
        let credentials = kept.credentials(arguments).await?;
        let runtime = start_with(arguments, kept.ledger.clone(), ceiling, retention, credentials)?;
        reconnect(arguments, wanted, &runtime).await
    });
    let done = done.await;
    kept.close().await;
    done?;
    if arguments.json {
        look::print_json(
            &json!({ "reconnected": { "integration": wanted.named.integration, "slot": wanted.named.slot } }),
        );
    } else {
        anstream::println!("There is a token in the slot {} of {}.", wanted.named.slot, wanted.named.integration);
    }
    Ok(DONE)
}

async fn reconnect(arguments: &Arguments, wanted: &CredentialReconnect, runtime: &Runtime) -> anyhow::Result<()> {
    let named = &wanted.named;
    let integration = runtime.open(&named.workspace, &named.integration).await?;
    let by = who::caller(named.principal.as_deref())?;
    let credentials = runtime.credentials().context("this runtime keeps no credentials")?;
    let listing = credentials.list(&named.workspace, Some(&named.integration)).await?;
    let info = listing.credentials.into_iter().find(|info| info.id.slot == named.slot);
    let kind = info.map(|info| info.kind).ok_or_else(|| {
        Usage(format!("no credential is stored; portcullis credential add {} {}", named.integration, named.slot))
    })?;
    if kind != CredentialKind::OauthAuthorizationCode {
        let _spinner = Spinner::start("asking the authorization server");
        return Ok(integration.reconnect(&named.slot, &by).await?);
    }
    let callback = if wanted.paste {
        pasted(wanted, &integration).await?
    } else {
        listened(arguments, wanted, &integration).await?
    };
    Ok(integration.authorized(&named.slot, &callback, &by).await?)
}

/// Waits for the browser.
async fn listened(
    arguments: &Arguments,
    wanted: &CredentialReconnect,
    integration: &Integration,
) -> anyhow::Result<String> {
    let address = wanted
        .redirect_uri
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next())
        .filter(|address| ["127.0.0.1:", "localhost:", "[::1]:"].iter().any(|own| address.starts_with(own)))
        .ok_or_else(|| {
            Usage("--redirect-uri: only a port of this machine can be listened on; write http://127.0.0.1:PORT/PATH, or give --paste".to_owned())
        })?;
    let listener = TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))?;
    let url = integration.authorize(&wanted.named.slot, &wanted.redirect_uri).await?;
    tell(arguments, &url);
    let _spinner = Spinner::start("waiting for the browser");
    let wait = async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut line = String::new();
            let mut from = BufReader::new((&mut stream).take(MOST));
            if from.read_line(&mut line).await.is_err() {
                continue;
            }
            let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
            let path = |url: &str| url.split('?').next().unwrap_or_default().to_owned();
            let own =
                wanted.redirect_uri.splitn(4, '/').nth(3).map_or_else(|| "/".to_owned(), |path| format!("/{path}"));
            let good = target.filter(|target| path(target) == own);
            let (status, text) = match good {
                Some(_) => ("200 OK", "Thank you. You can close this page and go back to the terminal."),
                None => ("404 Not Found", "There is nothing here."),
            };
            // Nothing of the request is repeated, and nothing is remembered by the browser.
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: \
                 no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}",
                text.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            if let Some(target) = good {
                return anyhow::Ok(format!("http://{address}{target}"));
            }
        }
    };
    timeout(PATIENCE, wait).await.context("nobody came back within ten minutes")?
}

/// Waits for the address that the browser was sent to, on standard input.
async fn pasted(wanted: &CredentialReconnect, integration: &Integration) -> anyhow::Result<String> {
    let url = integration.authorize(&wanted.named.slot, &wanted.redirect_uri).await?;
    anstream::eprintln!("Open this in a browser:\n\n  {url}\n\nThen write the address that it was sent to:");
    let mut line = String::new();
    BufReader::new(tokio::io::stdin().take(MOST)).read_line(&mut line).await?;
    Ok(line.trim().to_owned())
}

fn tell(arguments: &Arguments, url: &str) {
    if arguments.json {
        look::print_json_line(&json!({ "open": url }));
    } else {
        anstream::eprintln!("Open this in a browser, and agree:\n\n  {url}\n");
    }
}
