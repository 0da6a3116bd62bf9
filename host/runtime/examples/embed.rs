//! Embeds Portcullis: loads a connector at run time, grants it one operation, calls it, reads what it used.
//!
//! ```sh
//! cargo run --example embed -- target/adapters/out/postmark.wasm
//! ```

use std::{env, error::Error, fs, io::Write, process::ExitCode, sync::Arc};

use portcullis_runtime::{
    Call, Caller, Grant, Ledger, LedgerOptions, MemoryStore, MemoryVault, NewIntegration, Runtime, Secret,
};
use serde_json::json;

fn main() -> ExitCode {
    // Adapters are compiled in a child process, which is this program again.
    if let Some(code) = portcullis_runtime::compile_if_asked() {
        return code;
    }
    let tokio = tokio::runtime::Runtime::new().map_err(Into::into);
    match tokio.and_then(|tokio| tokio.block_on(run())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let wasm = fs::read(env::args().nth(1).ok_or("give the path of postmark.wasm")?)?;
    let ledger = Ledger::open(Arc::new(MemoryStore::new()), LedgerOptions::default()).await?;
    let runtime = Runtime::builder(ledger).build()?;

    let adapter = runtime.load(&wasm).await?;
    let grant = Grant::parse(&format!(
        "adapter = \"{}\"\noperations = [\"sendEmail\"]\n\
         [[routes]]\nmethod = \"POST\"\nurl = \"https://api.postmarkapp.com/email\"\nslots = [\"server-token\"]\n",
        adapter.digest()
    ))?;
    let vault = MemoryVault::new();
    vault.put("server-token", Secret::try_from("POSTMARK_API_TEST")?);
    let mail = runtime.integrate(NewIntegration::new("acme", "mail", adapter, grant).vault(Arc::new(vault))).await?;

    let email = json!({"From": "orders@acme.example", "To": "ada@example.com", "Subject": "Hello", "TextBody": "Hi"});
    // In sandbox mode nothing leaves; `.live()` sends.
    let outcome = mail.call(Call::new(Caller::principal("user:ada"), "sendEmail", email)).await;
    let mut out = std::io::stdout();
    writeln!(out, "would send: {}", serde_json::to_string_pretty(&outcome.would_send)?)?;
    writeln!(out, "output:     {}", outcome.result?)?;
    writeln!(out, "receipt:    {}", serde_json::to_string(&outcome.receipt)?)?;
    Ok(())
}
