//! Components for tests, made from WIT alone: their functions only trap.

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// A component with the world `world` of the first package in `wit`.
///
/// # Panics
/// When that is no WIT.
pub fn component(wit: &str, world: &str) -> Vec<u8> {
    encode(wit, world, LiftLowerAbi::Sync)
}

/// The same, lifting and lowering each function asynchronously.
///
/// # Panics
/// As [`component`].
pub fn async_component(wit: &str, world: &str) -> Vec<u8> {
    encode(wit, world, LiftLowerAbi::AsyncCallback)
}

/// The same component, whose `producers` section names these tools and their versions.
pub fn made_by(component: &[u8], tools: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&leb128(text.len())[..], text.as_bytes()].concat();
    let mut section = [text("producers"), vec![1], text("processed-by")].concat();
    section.extend(leb128(tools.len()));
    for (name, version) in tools {
        section.extend([text(name), text(version)].concat());
    }
    [component, &[0], &leb128(section.len()), &section].concat()
}

/// A number of WebAssembly's, padded to five bytes.
pub fn leb128(number: usize) -> [u8; 5] {
    [0, 1, 2, 3, 4].map(|place| {
        let more = if place < 4 { 0x80 } else { 0 };
        u8::try_from((number >> (7 * place)) & 0x7f).expect("seven bits fit") | more
    })
}

fn encode(wit: &str, world: &str, abi: LiftLowerAbi) -> Vec<u8> {
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package = resolve.push_str("test.wit", wit).expect("the WIT parses");
    let world = resolve
        .select_world(&[package], Some(world))
        .expect("the world is there");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(abi));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata fits");
    let mut encoder = ComponentEncoder::default()
        .module(&module)
        .expect("the module fits its world")
        .validate(true);
    encoder.encode().expect("the component encodes")
}

/// The product service's contract, in small.
pub const SHOP: &str = r#"
package shop:product@0.1.0;

interface types {
    type sku = string;
    record money { minor: s64, currency: string }
    record product {
        id: string,
        price: money,
        tags: list<string>,
        note: option<string>,
    }
}

interface products {
    use types.{product, sku};
    use stoa:service/types@0.1.0.{error};
    get: func(id: string) -> result<product, error>;
    create: func(product: product) -> result<product, error>;
    delete: func(id: string) -> result<_, error>;
    find: func(sku: sku, max-price: option<u32>) -> list<product>;
}

interface inventory {
    record line { sku: string, qty: u32 }
    reserve: func(order: string, lines: list<line>) -> result<_, string>;
    adjust: func(sku: string, by: s32) -> u32;
}

world product { export products; export inventory; }
world order { import inventory; import products; }
world decorator { import inventory; export inventory; }

package stoa:service@0.1.0 {
    interface types {
        record violation { pointer: string, detail: string }
        variant error { invalid(list<violation>), not-found(string), conflict(string) }
    }
}
"#;
