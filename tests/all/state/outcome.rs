//! What a host does with a store: everything that it decides by what stands there, each as text, or why it refuses.

use std::{collections::BTreeMap, sync::Arc};

use portcullis_ledger::verify::{VerifyOptions, verify_store};
use portcullis_runtime::Credentials;
use portcullis_store::Store;

use super::history::{History, builder, heads, id, ledger, master};

/// By what it is about.
pub(crate) type Outcome = BTreeMap<String, Result<String, String>>;

fn told<T: std::fmt::Debug, E: std::fmt::Display>(result: Result<T, E>) -> Result<String, String> {
    result.map(|value| format!("{value:?}")).map_err(|error| error.to_string())
}

/// Everything that a host which starts on this store decides.
pub(crate) async fn outcome(store: Arc<dyn Store>, history: &History) -> Outcome {
    let mut outcome = Outcome::new();
    let mut note = |what: String, result: Result<String, String>| drop(outcome.insert(what, result));
    note("heads".to_owned(), told(heads(store.clone(), &history.elsewhere).await.map(|_| ())));
    let verdict = verify_store(store.as_ref(), VerifyOptions::default()).await;
    note(
        "chains".to_owned(),
        verdict.map_err(|error| error.to_string()).and_then(|verdict| {
            let wrong =
                verdict.chains.iter().find_map(|chain| Some(format!("{}: {}", chain.workspace, chain.wrong.as_ref()?)));
            wrong.map_or_else(|| Ok("hold".to_owned()), Err)
        }),
    );
    let ledger = match ledger(store.clone()).await {
        Ok(ledger) => ledger,
        Err(error) => {
            note("ledger".to_owned(), Err(error.to_string()));
            return outcome;
        }
    };
    let credentials = match Credentials::open(ledger.clone(), master()).await {
        Ok(credentials) => credentials,
        Err(error) => {
            note("credentials".to_owned(), Err(error.to_string()));
            return outcome;
        }
    };
    let runtime = builder(ledger, credentials.clone()).build().unwrap();
    for (workspace, name) in [("acme", "mail"), ("acme", "crm"), ("globex", "mail"), ("acme", "probe")] {
        note(format!("integration {workspace}/{name}"), told(runtime.integration_info(workspace, name).await));
    }
    for name in ["probe", "clinic", "other"] {
        let info = runtime.adapter_info(name).await;
        if let Ok(info) = &info {
            note(
                format!("bytes of {name}"),
                told(runtime.kept_adapter(&info.digest).await.map(|kept| kept.digest().to_owned())),
            );
        }
        note(format!("adapter {name}"), told(info));
    }
    for integration in ["mail", "crm"] {
        match credentials.load("acme", integration).await {
            Err(error) => note(format!("credentials of {integration}"), Err(error.to_string())),
            Ok(slots) => {
                for slot in ["token", "key", "query-key", "cookie", "bot", "free"] {
                    let Some(stored) = slots.get(slot) else { continue };
                    let opened = |given: portcullis_runtime::Given| format!("{:?} {:?}", given.kind, given.fields);
                    let info = stored.info().map(|info| (info.state, info.expires, info.generation, info.previous));
                    let now = stored.open().map(|given| format!("{} {info:?}", opened(given)));
                    note(format!("credential acme/{integration}/{slot}"), now.map_err(|error| error.to_string()));
                    if let Some(previous) = stored.open_previous() {
                        let previous = previous.map(opened).map_err(|error| error.to_string());
                        note(format!("previous of acme/{integration}/{slot}"), previous);
                    }
                }
            }
        }
    }
    let token = credentials.load_token(&id("mail", "free"), 1).await;
    note(
        "token".to_owned(),
        token.map_err(|error| error.to_string()).map(|token| match token {
            Some(token) => String::from_utf8(token.bytes.to_vec()).unwrap(),
            None => "none: it is asked for".to_owned(),
        }),
    );
    note(
        "state".to_owned(),
        match credentials.state().check().await {
            Ok(refused) if refused.is_empty() => Ok("vouches for all".to_owned()),
            Ok(refused) => Err(refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
            Err(error) => Err(error.to_string()),
        },
    );
    outcome
}
