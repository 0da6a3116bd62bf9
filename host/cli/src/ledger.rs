//! The ledger of a command that writes: store, chain and signed heads, opened together and closed together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use portcullis_runtime::{
    CarveOut, Credentials, KeySource, Ledger, LedgerOptions, MemoryStore, http_head_sink,
    ledger::heads::{FileSigner, FileSink, HeadOptions, HeadSink, SignedHeads, WriterSink},
    printable,
    store::{Embedded, Options},
};

use crate::{arguments::Arguments, exit::Usage, progress::Spinner};

/// How long those who take signed heads are waited for.
const DELIVERY: Duration = Duration::from_secs(5);

/// An open ledger.
pub(crate) struct Kept {
    pub(crate) ledger: Ledger,
    heads: SignedHeads,
    store: Arc<Embedded>,
}

impl Kept {
    /// Opens the ledger in the data folder; makes it where there is none.
    pub(crate) async fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&arguments.data)
            .with_context(|| format!("the data folder {}", arguments.data.display()))?;
        Self::with(arguments, Options::default()).await
    }

    /// Opens the ledger that there is.
    pub(crate) async fn existing(arguments: &Arguments) -> anyhow::Result<Self> {
        Self::with(arguments, Options::default().existing()).await
    }

    async fn with(arguments: &Arguments, options: Options) -> anyhow::Result<Self> {
        let _spinner = Spinner::start("opening the ledger");
        let store = Arc::new(Embedded::open(arguments.data.join("store"), options).await?);
        let signer = Arc::new(FileSigner::open_or_create(&key_file(arguments))?);
        let options = HeadOptions { sinks: vec![sink(arguments)?], ..HeadOptions::default() };
        let heads = SignedHeads::open(store.clone(), signer, options).await?;
        let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await?;
        Ok(Self { ledger, heads, store })
    }

    /// The credentials that are kept beside it, under the master key.
    pub(crate) async fn credentials(&self, arguments: &Arguments) -> anyhow::Result<Credentials> {
        let source = match &arguments.master_key {
            None => KeySource::File(arguments.data.join("master.key")),
            Some(text) => text.parse().map_err(|error| Usage(format!("--master-key: {error}")))?,
        };
        // Another key than the one that was lost would open nothing, and hide that it was lost.
        if let KeySource::File(path) = &source
            && !path.exists()
            && let Some(id) = self.credentials_without_key().master_key().await?
        {
            let path = path.display();
            let how = "put it there, or name it with --master-key";
            return Err(Usage(format!(
                "the credentials here are under the master key {id}, and {path} is not there: {how}"
            ))
            .into());
        }
        Ok(Credentials::open(self.ledger.clone(), source.open().await?).await?)
    }

    /// The same, for what needs no master key.
    pub(crate) fn credentials_without_key(&self) -> Credentials {
        Credentials::without_key(self.ledger.clone())
    }

    /// Signs what was recorded so far.
    pub(crate) async fn sign(&self) -> anyhow::Result<()> {
        self.heads.sign_now().await?;
        Ok(())
    }

    /// Ends what a command did: all that was recorded is kept and signed. Nobody else holds the ledger any more. What goes
    /// wrong here undoes nothing, so it is told and is not the command's end.
    pub(crate) async fn close(self) {
        self.ledger.close().await;
        if let Err(error) = self.heads.close(DELIVERY).await {
            tracing::warn!(%error, "what was recorded is not signed yet; it is at the next start");
        }
        if let Some(store) = Arc::into_inner(self.store)
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the store was not closed; it is looked through at the next start");
        }
    }
}

/// Where the key is that signs heads.
pub(crate) fn key_file(arguments: &Arguments) -> PathBuf {
    arguments.signing_key.clone().unwrap_or_else(|| arguments.data.join("ledger.key"))
}

/// The file that signed heads go to, if it is one and there is one.
pub(crate) fn heads_file(arguments: &Arguments) -> Option<PathBuf> {
    match arguments.heads.as_deref() {
        None => Some(arguments.data.join("heads.jsonl")).filter(|path| path.exists()),
        Some(place) if place == "-" || is_url(place) => None,
        Some(path) => Some(PathBuf::from(path)),
    }
}

fn is_url(place: &str) -> bool {
    place.contains("://")
}

/// Where signed heads go.
fn sink(arguments: &Arguments) -> anyhow::Result<Arc<dyn HeadSink>> {
    Ok(match arguments.heads.as_deref() {
        None => Arc::new(FileSink::new(arguments.data.join("heads.jsonl"))),
        Some("-") => Arc::new(WriterSink::stdout()),
        Some(url) if is_url(url) => {
            let carve_outs = arguments.heads_carve_outs.iter().map(|text| {
                text.parse().map_err(|error| Usage(format!("--heads-carve-out: `{}`: {error}", printable(text, 200))))
            });
            let carve_outs = carve_outs.collect::<Result<Vec<CarveOut>, Usage>>()?;
            Arc::new(http_head_sink(url, carve_outs).map_err(|error| Usage(format!("--heads: {error}")))?)
        }
        Some(path) => Arc::new(FileSink::new(path)),
    })
}

/// A ledger for commands that make no calls: what they were refused is told at once, and is nobody's history.
pub(crate) async fn no_ledger() -> anyhow::Result<Ledger> {
    Ok(Ledger::open(Arc::new(MemoryStore::new()), LedgerOptions::default()).await?)
}
