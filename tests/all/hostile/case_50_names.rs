//! Case 50: names that something else reads as more than a name, or as another one: the host's own, `.` and `..`, patterns,
//! separators, characters that are not seen. Each door refuses them, and says what a name is.

use std::sync::Arc;

use portcullis_gate::{Ceiling, Grant, Named};
use portcullis_ledger::{Entry, Kind, RetentionPolicy};
use portcullis_runtime::{CredentialId, Given, MemoryStore, MemoryVault, NewIntegration, NewOptions, RegistryError, Secret};
use portcullis_store::Store;
use portcullis_tests::folder;
use serde_json::json;

use crate::{
    guests,
    harness::{Case, load},
    state::{
        entries,
        history::{builder, by, ledger, master},
    },
};

const STRANGE: [&str; 14] =
    ["@host", "@key/state", ".", "..", "", "*", "a/b", "a b", "a\0b", "a\u{202e}b", "-a", "a.", "host", "ALL"];

#[tokio::test]
async fn a_name_that_is_none_comes_in_by_no_door_and_leaves_nothing() {
    let case = Case::new().await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let ledger = ledger(store.clone()).await.unwrap();
    let credentials = portcullis_runtime::Credentials::open(ledger.clone(), master()).await.unwrap();
    let runtime = builder(ledger.clone(), credentials.clone()).build().unwrap();
    let probe = folder::guest(guests::PUPPET_PROBE).unwrap();
    let adapter = load(&runtime, &probe).await.unwrap();
    runtime.keep_adapter(&probe, "probe", &by()).await.unwrap();
    let grant = || Grant::parse(&format!("adapter = \"{}\"\noperations = [\"probe\"]\n", adapter.digest())).unwrap();
    let before = entries(store.as_ref()).await;
    for name in STRANGE {
        for [workspace, integration] in [[name, "mail"], ["acme", name]] {
            let kept = runtime.keep_integration([workspace, integration], "probe", json!({}), grant(), &by()).await;
            assert!(matches!(kept, Err(RegistryError::Name(_))), "{name:?}");
            let new = NewIntegration::new(workspace, integration, adapter.clone(), grant());
            let error = runtime.integrate(new.vault(Arc::new(MemoryVault::new()))).await.unwrap_err().to_string();
            assert!(error.contains("is no name of"), "{name:?}: {error}");
            let id = CredentialId::new(workspace, integration, "token");
            let given = || Given::secret(Secret::try_from("a secret").unwrap());
            assert!(credentials.add(&id, given(), NewOptions::by(&by())).await.is_err(), "{name:?}");
            assert!(credentials.revoke(&id, &by(), "x").await.is_err() && credentials.remove(&id, &by()).await.is_err());
            assert!(credentials.load(workspace, integration).await.is_err());
            let ceiling = format!(
                "carve_outs = [{{ addresses = \"10.0.0.1:443\", integrations = [{}] }}]",
                json!(format!("{workspace}/{integration}"))
            );
            assert!(Ceiling::parse(&ceiling).is_err(), "{ceiling}");
            let integration = json!(format!("{workspace}/{integration}"));
            let policy = format!("[[keep]]\nintegration = {integration}\nwhat = \"nothing\"");
            assert!(integration == "acme/*" || RetentionPolicy::parse(&policy).is_err(), "{policy}");
        }
        assert!(matches!(runtime.keep_adapter(&probe, name, &by()).await, Err(RegistryError::Name(_))), "{name:?}");
        assert!(credentials.rotate_data_key(name, &by()).await.is_err(), "{name:?}");
        if name != portcullis_ledger::HOST {
            assert!(ledger.append(vec![Entry::new(name, Kind::Configuration)]).await.is_err(), "{name:?}");
        }
        if Named::Slot.check(name).is_err() {
            let id = CredentialId::new("acme", "mail", name);
            let given = Given::secret(Secret::try_from("a secret").unwrap());
            assert!(credentials.add(&id, given, NewOptions::by(&by())).await.is_err(), "{name:?}");
        }
    }
    assert_eq!(entries(store.as_ref()).await, before);
    case.goes_on().await;
}
