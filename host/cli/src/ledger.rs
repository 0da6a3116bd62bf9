//! The ledger of a command that writes: store, chain and signed heads, opened together and closed together.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context;
use portcullis_runtime::{
    CarveOut, Credentials, HostSettings, KeyProvider, KeySource, Ledger, LedgerError, LedgerOptions, MemoryStore,
    Record, http_head_sink,
    ledger::Reader,
    ledger::heads::{FileSigner, FileSink, HeadOptions, HeadSink, SignedHeads, Signer, WriterSink},
    printable,
    store::{Embedded, Options},
};

use crate::{
    arguments::Arguments,
    exit::Usage,
    interrupt::{Held, or_left},
    progress::Spinner,
};

/// How long those who take signed heads are waited for.
const DELIVERY: Duration = Duration::from_secs(5);

/// An open ledger.
pub(crate) struct Kept {
    pub(crate) ledger: Ledger,
    /// What is set for the host.
    pub(crate) settings: HostSettings,
    heads: SignedHeads,
    store: Arc<Embedded>,
    /// None where there is none yet; or why it cannot be had.
    master: Master,
    /// Until all of it is closed, a signal does not end the process.
    _held: Held,
}

impl Kept {
    /// Opens the ledger in the data folder; makes it where there is none.
    pub(crate) async fn open(arguments: &Arguments) -> anyhow::Result<Self> {
        portcullis_files::folder(&arguments.data).context("the data folder")?;
        Self::with(arguments, Options::default(), false).await
    }

    /// Opens the ledger that there is.
    pub(crate) async fn existing(arguments: &Arguments) -> anyhow::Result<Self> {
        Self::with(arguments, Options::default().existing(), false).await
    }

    /// Opens the ledger that there is, to vouch anew for what it has.
    pub(crate) async fn adopting(arguments: &Arguments) -> anyhow::Result<Self> {
        Self::with(arguments, Options::default().existing(), true).await
    }

    async fn with(arguments: &Arguments, options: Options, adopting: bool) -> anyhow::Result<Self> {
        close_data(arguments)?;
        let _spinner = Spinner::start("opening the ledger");
        let store = Arc::new(Embedded::open(arguments.data.join("store"), options).await?);
        let (master, settings) = settings(arguments, &store).await?;
        let places = Places::of(arguments, &settings)?;
        let signer = Arc::new(FileSigner::open_or_create(&places.key)?);
        let options = HeadOptions { sinks: vec![places.sink()?], adopting, ..HeadOptions::default() };
        let heads = SignedHeads::open(store.clone(), signer, options).await?;
        let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await?;
        Ok(Self { ledger, settings, heads, store, master, _held: Held::new() })
    }

    /// The credentials that are kept beside it, under the master key, and what vouches for all that authorises.
    pub(crate) async fn credentials(&self, arguments: &Arguments) -> anyhow::Result<Credentials> {
        let master = match &self.master {
            Ok(Some(master)) => master.clone(),
            Ok(None) => source(arguments)?.open().await?,
            Err(error) if error.usage => return Err(Usage(error.told.clone()).into()),
            Err(error) => return Err(error.clone().into()),
        };
        Ok(Credentials::open(self.ledger.clone(), master).await?)
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

    /// What an export is signed with: the key, and its newest signed head.
    pub(crate) async fn signer(&self) -> (Arc<dyn Signer>, u64) {
        self.heads.for_export().await
    }

    /// Ends what a command did: all that was recorded is kept and signed. Nobody else holds the ledger any more. What goes
    /// wrong here undoes nothing, so it is told and is not the command's end.
    pub(crate) async fn close(self) {
        self.close_and_read("", u64::MAX).await;
    }

    /// The number of the newest record of a workspace's chain; 0 where it has none.
    pub(crate) async fn newest(&self, workspace: &str) -> Result<u64, LedgerError> {
        Ok(self.ledger.reader().chain(workspace).await?.map_or(0, |head| head.seq))
    }

    /// Does what `close` does. Gives back what was recorded in a workspace's chain after the record of this number, also by
    /// what ended just before.
    pub(crate) async fn close_and_read(self, workspace: &str, after: u64) -> Vec<Record> {
        self.ledger.close().await;
        let mut records = Vec::new();
        if after < u64::MAX {
            let reader = Reader::new(self.store.clone());
            let mut seq = after;
            while let Ok(Some((_, record))) = reader.get(workspace, seq + 1).await {
                records.push(record);
                seq += 1;
            }
        }
        if let Err(error) = self.heads.close(DELIVERY).await {
            tracing::warn!(%error, "what was recorded is not signed yet; it is at the next start");
        }
        if let Some(store) = Arc::into_inner(self.store)
            && let Err(error) = store.close().await
        {
            tracing::warn!(%error, "the store was not closed; it is looked through at the next start");
        }
        records
    }
}

/// The data folder is its owner's alone; one of an older version is made so.
pub(crate) fn close_data(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.data.exists() {
        portcullis_files::existing_folder(&arguments.data).context("the data folder")?;
    }
    Ok(())
}

/// The master key cannot be had.
#[derive(Clone, Debug)]
pub(crate) struct NoMasterKey {
    told: String,
    /// Whether another option would help.
    usage: bool,
}

impl std::fmt::Display for NoMasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told)
    }
}

impl std::error::Error for NoMasterKey {}

fn source(arguments: &Arguments) -> anyhow::Result<KeySource> {
    Ok(match &arguments.master_key {
        None => KeySource::File(arguments.data.join("master.key")),
        Some(text) => text.parse().map_err(|error| Usage(format!("--master-key: {error}")))?,
    })
}

/// The master key of the data folder, for commands that only look at adapters: with it they need not compile what was compiled
/// already. None where there is none yet.
pub(crate) async fn master_key_to_look(arguments: &Arguments) -> Option<Arc<dyn KeyProvider>> {
    let source = source(arguments).ok()?;
    // Nothing is made here: neither a key, nor a data folder.
    if matches!(&source, KeySource::File(path) if !path.exists()) {
        return None;
    }
    source
        .open()
        .await
        .inspect_err(|error| tracing::info!(%error, "compiled code is not kept without a master key"))
        .ok()
}

/// The master key, where there is one already.
async fn master(arguments: &Arguments, credentials: &Credentials) -> anyhow::Result<Option<Arc<dyn KeyProvider>>> {
    let source = source(arguments)?;
    if let KeySource::File(path) = &source
        && !path.exists()
    {
        // Another key than the one that was lost would open nothing, and hide that it was lost.
        return match credentials.master_key().await? {
            None => Ok(None),
            Some(id) => {
                let path = path.display();
                let how = "put it there, or name it with --master-key";
                Err(Usage(format!(
                    "the credentials here are under the master key {id}, and {path} is not there: {how}"
                ))
                .into())
            }
        };
    }
    Ok(Some(source.open().await?))
}

type Master = Result<Option<Arc<dyn KeyProvider>>, NoMasterKey>;

/// What is set for the host. A command that only takes something away works without the master key, too: then nothing vouches
/// for where signed heads go, and that is told.
async fn settings(arguments: &Arguments, store: &Arc<Embedded>) -> anyhow::Result<(Master, HostSettings)> {
    // Nothing is written before the signed heads were looked at.
    let ledger = Ledger::open(store.clone(), LedgerOptions { recover: false, ..LedgerOptions::default() }).await?;
    let master = master(arguments, &Credentials::without_key(ledger.clone())).await;
    let checked = match &master {
        Ok(None) => Ok(HostSettings::default()),
        Ok(Some(master)) => match Credentials::open(ledger.clone(), master.clone()).await {
            Ok(credentials) => HostSettings::of(&credentials.state()).await.map_err(anyhow::Error::from),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    ledger.close().await;
    let master = master
        .map_err(|error| NoMasterKey { usage: error.downcast_ref::<Usage>().is_some(), told: format!("{error:#}") });
    match checked {
        Ok(settings) => Ok((master, settings)),
        Err(error) => {
            let mut settings = HostSettings::unchecked(store.as_ref()).await.unwrap_or_default();
            // Then whoever runs the command is believed first.
            settings.heads = settings.heads.filter(|_| arguments.heads.is_none());
            settings.signing_key = settings.signing_key.filter(|_| arguments.signing_key.is_none());
            let place = settings.heads.as_ref().or(arguments.heads.as_ref());
            let place = place.map_or("the data folder", |place| place);
            tracing::warn!(
                "the settings of the host are not vouched for ({error:#}); signed heads go to {}",
                printable(place, 200)
            );
            Ok((master, settings))
        }
    }
}

/// Where the key is that signs heads, and where these go.
pub(crate) struct Places {
    pub(crate) key: PathBuf,
    heads: Option<String>,
    carve_outs: Vec<String>,
    data: PathBuf,
}

impl Places {
    /// As they are set for the host. What is said on a command line is not in their place.
    pub(crate) fn of(arguments: &Arguments, settings: &HostSettings) -> anyhow::Result<Self> {
        let other = |option: &str, set: &str| {
            let set = printable(set, 200);
            Usage(format!(
                "{option}: it is set to {set} for this host (`portcullis host show`); leave the option away, or change it with \
                 `portcullis host set`"
            ))
        };
        let heads = match (&settings.heads, &arguments.heads) {
            (Some(set), Some(said)) if set != said => return Err(other("--heads", set).into()),
            (Some(set), _) => Some(set.clone()),
            (None, said) => said.clone(),
        };
        let key = match (&settings.signing_key, &arguments.signing_key) {
            (Some(set), Some(said)) if set != said => {
                return Err(other("--signing-key", &set.display().to_string()).into());
            }
            (Some(set), _) => set.clone(),
            (None, Some(said)) => said.clone(),
            (None, None) => arguments.data.join("ledger.key"),
        };
        let carve_outs =
            if settings.heads.is_some() { &settings.heads_carve_outs } else { &arguments.heads_carve_outs };
        Ok(Self { key, heads, carve_outs: carve_outs.clone(), data: arguments.data.clone() })
    }

    /// As these settings say, whatever the command line does.
    pub(crate) fn set(arguments: &Arguments, settings: &HostSettings) -> Self {
        let data = arguments.data.clone();
        let key = settings.signing_key.clone().unwrap_or_else(|| data.join("ledger.key"));
        Self { key, heads: settings.heads.clone(), carve_outs: settings.heads_carve_outs.clone(), data }
    }

    /// To look at what is there: what is said on the command line counts, then what is set, whoever set it.
    pub(crate) async fn looked_at(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut settings = HostSettings::default();
        let folder = arguments.data.join("store");
        if (arguments.heads.is_none() || arguments.signing_key.is_none()) && folder.exists() {
            let _held = Held::new();
            let left = "the command was given up before it did anything";
            let store =
                or_left(left, async { Ok(Embedded::open(folder, Options::default().existing()).await?) }).await?;
            settings = HostSettings::unchecked(&store).await.unwrap_or_default();
            store.close().await?;
        }
        if arguments.heads.is_some() {
            settings.heads = None;
        }
        if arguments.signing_key.is_some() {
            settings.signing_key = None;
        }
        Self::of(arguments, &settings)
    }

    /// The file that signed heads go to, if it is one and there is one.
    pub(crate) fn heads_file(&self) -> Option<PathBuf> {
        match self.heads.as_deref() {
            None => Some(self.data.join("heads.jsonl")).filter(|path| path.exists()),
            Some(place) if place == "-" || is_url(place) => None,
            Some(path) => Some(PathBuf::from(path)),
        }
    }

    /// The file of signed heads that is verified against: the one that was named, the one that is set, or the data folder's own.
    /// Heads that go to a URL or to standard output cannot be read back: who names those on the command line is refused, and
    /// where they are set for the host that is told.
    pub(crate) fn heads_to_read(&self, named: bool) -> Result<Option<PathBuf>, Usage> {
        if let Some(place) = self.heads.as_deref().filter(|place| *place == "-" || is_url(place)) {
            let told = format!(
                "--heads: signed heads go to `{}` and cannot be read from there; give the file that they were collected in",
                printable(place, 200)
            );
            if named {
                return Err(Usage(told));
            }
            tracing::warn!("{told}; without it the chain is held to the signatures in the store alone");
        }
        Ok(self.heads_file())
    }

    /// Where signed heads go.
    pub(crate) fn sink(&self) -> anyhow::Result<Arc<dyn HeadSink>> {
        Ok(match self.heads.as_deref() {
            None => Arc::new(FileSink::new(self.data.join("heads.jsonl"))),
            Some("-") => Arc::new(WriterSink::stdout()),
            Some(url) if is_url(url) => {
                let carve_outs = self.carve_outs.iter().map(|text| {
                    let told = |error| Usage(format!("--heads-carve-out: `{}`: {error}", printable(text, 200)));
                    text.parse().map_err(told)
                });
                let carve_outs = carve_outs.collect::<Result<Vec<CarveOut>, Usage>>()?;
                Arc::new(http_head_sink(url, carve_outs).map_err(|error| Usage(format!("--heads: {error}")))?)
            }
            Some(path) => Arc::new(FileSink::new(path)),
        })
    }
}

fn is_url(place: &str) -> bool {
    place.contains("://")
}

/// A ledger for commands that make no calls: what they were refused is told at once, and is nobody's history.
pub(crate) async fn no_ledger() -> anyhow::Result<Ledger> {
    Ok(Ledger::open(Arc::new(MemoryStore::new()), LedgerOptions::default()).await?)
}
