//! Descriptors, the text of which comes from adapters. The first byte says which way: a JSON text (one descriptor, or two
//! versions in a list), or bytes that a well-formed descriptor and an edit of it are made from.
#![no_main]

#[path = "../../../host/gate/tests/generate/mod.rs"]
#[allow(dead_code, unused_imports)]
mod generate;

use generate::{
    Choices, DIGEST, ceiling, descriptor, diff_is_empty_where_powers_are_equal, edited, explanation_is_what_holds,
    full, grant, grant_reads_as_written, is_plain_text,
};
use libfuzzer_sys::fuzz_target;
use portcullis_gate::{Ceiling, Descriptor, Powers, diff, explain};

fuzz_target!(|data: &[u8]| {
    let Some((way, bytes)) = data.split_first() else { return };
    if *way >= 0x80 {
        let mut choices = Choices::new(bytes);
        let old = descriptor(&mut choices);
        let new = edited(&mut choices, &old);
        well_formed(&old);
        let (grant, ceiling) = (grant(&mut choices, &new), ceiling(&mut choices));
        let powers = Powers::new(DIGEST, "made-up", &new, &grant, &ceiling).unwrap();
        explanation_is_what_holds(&new, &grant, &ceiling, &powers);
        compared(&old, &new);
        return;
    }
    if let Ok(descriptor) = serde_json::from_slice::<Descriptor>(bytes) {
        any(&descriptor);
    } else if let Ok([old, new]) = serde_json::from_slice::<[Descriptor; 2]>(bytes)
        && any(&old)
        && any(&new)
    {
        compared(&old, &new);
    }
});

/// One that may be anything. Whether it is well formed.
fn any(descriptor: &Descriptor) -> bool {
    let json = serde_json::to_string(descriptor).unwrap();
    assert_eq!(serde_json::from_str::<Descriptor>(&json).as_ref().ok(), Some(descriptor));
    match descriptor.check() {
        Ok(()) => well_formed(descriptor),
        Err(error) => {
            let told = error.to_string();
            is_plain_text(&told);
            assert!(told.chars().count() < 2_000, "{told}");
            assert!(diff(descriptor, descriptor).is_err());
            return false;
        }
    }
    true
}

fn well_formed(descriptor: &Descriptor) {
    let grant = full(descriptor);
    let powers = Powers::new(DIGEST, "made-up", descriptor, &grant, &Ceiling::default()).unwrap();
    assert_eq!(powers.operations().len(), descriptor.operations.len());
    grant_reads_as_written(&grant);
    assert!(diff(descriptor, descriptor).unwrap().is_empty());
    let explained = explain("made-up", descriptor, &grant, &Ceiling::default()).unwrap();
    assert!(explained.operations.iter().all(|operation| operation.effective));
    // All of it is granted; what is not effective no operation uses, or no carve-out opens. A granted route stands under each
    // declared one that covers it, and under its own with nothing left out.
    let whole = |id: &str| {
        let mut lines = explained.routes.iter().map(|line| &line.item);
        lines.any(|line| line.route.as_deref() == Some(id) && line.narrowed.is_none())
    };
    assert!(descriptor.routes.iter().all(|route| whole(&route.id)));
    assert!(explained.routes.iter().all(|line| line.item.route.is_some()));
    explanation_is_what_holds(descriptor, &grant, &Ceiling::default(), &powers);
}

fn compared(old: &Descriptor, new: &Descriptor) {
    let there = diff(old, new).unwrap();
    diff_is_empty_where_powers_are_equal(old, new, &there);
    assert_eq!(there.is_empty(), diff(new, old).unwrap().is_empty());
    for change in &there.changes {
        [Some(&change.subject), change.before.as_ref(), change.after.as_ref()].into_iter().flatten().for_each(|text| {
            is_plain_text(text);
        });
    }
}
