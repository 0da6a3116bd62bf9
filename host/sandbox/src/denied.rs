//! Denied stubs: files and sockets that are not there.
//!
//! The runtimes of Python and JavaScript import files and sockets whether or not an adapter uses them. Each function of
//! these interfaces is linked to an answer that is always no: the error code for "access denied" where it has one, the
//! empty list where it lists what was given, and the end of the call otherwise. Nothing here reads the machine, and no
//! handle of these interfaces is ever made, so that there is nothing their methods could be called on.
//!
//! What a function says is read off the component's own types when it is loaded: the hundred functions need not be
//! written out, and one that nobody knows is answered no like the others.

use wasmtime::component::{
    Component, Linker, ResourceType, Val,
    types::{ComponentFunc, ComponentItem, Type},
};

use crate::{state::State, upload::is_denied};

/// Most functions, resources and types in all imports of a component that has such stubs. Contract and WASI together have
/// about 400; a stranger's file could name millions.
const MAX_ITEMS: usize = 2_048;

/// Stands behind handles that are never made.
struct Nothing;

/// What a stub answers.
enum Answer {
    /// This case of its error code.
    Error(String),
    /// An empty list.
    Empty,
    /// Nothing: the call ends.
    End,
}

/// Links the denied interfaces that this component imports.
pub(crate) fn link(linker: &mut Linker<State>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine();
    let imports = component.component_type();
    if !imports.imports(engine).any(|(interface, _)| is_denied(interface)) {
        return Ok(());
    }
    let mut left = MAX_ITEMS;
    // A resource is defined where it is first named; where another interface uses it, it is known already.
    let mut known: Vec<ResourceType> = Vec::new();
    for (interface, item) in imports.imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { continue };
        let mut stubs = if is_denied(interface) { Some(linker.instance(interface)?) } else { None };
        for (name, item) in instance.exports(engine) {
            left = left.checked_sub(1).ok_or_else(too_many)?;
            match (item.ty, &mut stubs) {
                (ComponentItem::ComponentFunc(function), Some(stubs)) => {
                    let (called, answer) = (format!("{interface}#{name}"), answer(&function));
                    stubs.func_new(name, move |_, _, _, results| refuse(&called, &answer, results))?;
                }
                (ComponentItem::Resource(resource), stubs) if !known.contains(&resource) => {
                    known.push(resource);
                    if let Some(stubs) = stubs {
                        stubs.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn too_many() -> wasmtime::Error {
    wasmtime::Error::msg(format!("its imports have more than {MAX_ITEMS} items"))
}

/// How a function of this type says no.
fn answer(function: &ComponentFunc) -> Answer {
    match function.results().next() {
        Some(Type::List(_)) => Answer::Empty,
        Some(Type::Result(result)) => match result.err() {
            // `access` is what files call it, `access-denied` what sockets do.
            Some(Type::Enum(codes)) => codes
                .names()
                .find(|name| matches!(*name, "access" | "access-denied"))
                .map_or(Answer::End, |name| Answer::Error(name.to_owned())),
            _ => Answer::End,
        },
        _ => Answer::End,
    }
}

fn refuse(called: &str, answer: &Answer, results: &mut [Val]) -> wasmtime::Result<()> {
    let value = match answer {
        Answer::Error(code) => Val::Result(Err(Some(Box::new(Val::Enum(code.clone()))))),
        Answer::Empty => Val::List(Vec::new()),
        Answer::End => {
            return Err(wasmtime::Error::msg(format!("it called {called}, and adapters have no such power")));
        }
    };
    if let Some(result) = results.first_mut() {
        *result = value;
    }
    Ok(())
}
