//! `wasi:http` for add-ons whose language's runtime imports it: whoever calls it breaks down, since the contract is the only way out.
//!
//! Not by wasmtime's `define_unknown_imports_as_traps`: it also puts resources into instances that are known (48.0.8: the `pollable` that
//! `wasi:clocks` uses), and what it lends then fits nothing.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError};

/// Names of interfaces begin with it.
const HTTP: &str = "wasi:http/";

/// Stands for all resources of `wasi:http`; there never is one.
enum Nothing {}

/// Lends the interfaces of `wasi:http` that a component imports, if any.
///
/// # Errors
/// Where the linker has another thing under such a name.
pub fn lend<T: 'static>(linker: &mut Linker<T>, component: &Component) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    let contents = component.component_type();
    for (name, item) in contents.imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            continue;
        };
        if !name.starts_with(HTTP) {
            continue;
        }
        let mut instance = linker.instance(name)?;
        for (inner, item) in interface.exports(&engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let called = format!("{name}#{inner}");
                    instance.func_new(inner, move |_, _, _, _| {
                        Err(wasmtime::format_err!(
                            "the add-on called {called}, and the contract is its only way out"
                        ))
                    })?;
                }
                ComponentItem::Resource(_) => resource(&mut instance, inner)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// What an interface takes from `wasi:io` is of its kind, whatever it calls it.
fn resource<T: 'static>(instance: &mut LinkerInstance<'_, T>, name: &str) -> wasmtime::Result<()> {
    let kind = match name {
        "pollable" => ResourceType::host::<DynPollable>(),
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "io-error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Nothing>(),
    };
    instance.resource(name, kind, |_, _| Ok(()))
}
