//! The suite that every store is held to, held against each of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod conformance;

mod memory {
    use std::sync::Arc;

    use portcullis_store::MemoryStore;

    use crate::conformance::{Bench, Later, Open, conformance};

    struct Memory;

    impl Bench for Memory {
        fn fresh(&self) -> Later<Open> {
            Box::pin(async { Arc::new(MemoryStore::new()) as Open })
        }

        fn again(&self, _: Open) -> Later<Option<Open>> {
            Box::pin(async { None })
        }
    }

    conformance!(Memory);
}

mod embedded {
    use std::{
        path::PathBuf,
        sync::{Arc, Mutex},
    };

    use portcullis_store::{Embedded, EngineKind, Options};
    use tempfile::TempDir;

    use crate::conformance::{Bench, Later, Open};

    /// Stores in folders that go when it goes.
    pub(crate) struct Folders {
        kind: EngineKind,
        made: Arc<Mutex<Vec<TempDir>>>,
    }

    impl Folders {
        pub(crate) fn of(kind: EngineKind) -> Self {
            Self { kind, made: Arc::default() }
        }
    }

    async fn open(folder: PathBuf, kind: EngineKind) -> Open {
        let options = Options { floor_bytes: 0, ..Options::default() }.engine(kind);
        Arc::new(Embedded::open(folder, options).await.unwrap())
    }

    impl Bench for Folders {
        fn fresh(&self) -> Later<Open> {
            let folder = tempfile::tempdir().unwrap();
            let opened = open(folder.path().join("store"), self.kind);
            self.made.lock().unwrap().push(folder);
            Box::pin(opened)
        }

        fn again(&self, store: Open) -> Later<Option<Open>> {
            let path = self.made.lock().unwrap().last().unwrap().path().join("store");
            let kind = self.kind;
            drop(store);
            Box::pin(async move { Some(open(path, kind).await) })
        }
    }
}

mod sled {
    use portcullis_store::EngineKind;

    crate::conformance::conformance!(crate::embedded::Folders::of(EngineKind::Sled));
}

mod redb {
    use portcullis_store::EngineKind;

    crate::conformance::conformance!(crate::embedded::Folders::of(EngineKind::Redb));
}
