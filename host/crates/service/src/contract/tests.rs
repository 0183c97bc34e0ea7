use proptest::prelude::*;
use wit_parser::Resolve;

use super::*;
use stoa_test_components::{SHOP, async_component, component};

/// The contract of a component that is made of this WIT.
pub(super) fn contract(wit: &str, world: &str) -> Contract {
    Contract::read(&component(wit, world)).unwrap()
}

fn refused(bytes: &[u8]) -> (&'static str, String) {
    let fault = Contract::read(bytes).unwrap_err();
    (fault.code.as_str(), fault.message)
}

fn names(interfaces: &[Interface]) -> Vec<String> {
    interfaces
        .iter()
        .map(|interface| interface.name.to_string())
        .collect()
}

#[test]
fn reads_interfaces_and_functions() {
    let product = contract(SHOP, "product");
    assert_eq!(
        names(product.exports()),
        [
            "shop:product/products@0.1.0",
            "shop:product/inventory@0.1.0"
        ],
    );
    assert!(product.imports().iter().all(Interface::is_types_only));
    let name = FunctionName {
        interface: "shop:product/products".to_owned(),
        function: "find".to_owned(),
    };
    let (interface, find) = product.function(&name).unwrap();
    assert_eq!(interface.handles, None);
    assert!(!find.is_async);
    let params: Vec<_> = find
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, param.ty))
        .collect();
    assert_eq!(params, ["sku: string", "max-price: option<u32>"]);
    assert_eq!(find.result.as_ref().unwrap().to_string(), "list<product>");
    let missing = FunctionName {
        interface: "shop:product/products".to_owned(),
        function: "fetch".to_owned(),
    };
    assert!(product.function(&missing).is_none());
    assert!(!product.is_async());
    assert_eq!(product.serves_http(), ServesHttp::default());
}

#[test]
fn types_keep_the_name_of_their_definition() {
    for world in ["product", "order"] {
        let contract = contract(SHOP, world);
        let side = if world == "product" {
            contract.exports()
        } else {
            contract.imports()
        };
        let products = side
            .iter()
            .find(|interface| interface.name.interface == "products")
            .unwrap();
        let Some(Type::Defined(result)) = &products.function("get").unwrap().result else {
            panic!("a result")
        };
        let types::Shape::Result {
            ok: Some(Type::Defined(ok)),
            err: Some(Type::Defined(err)),
        } = &result.shape
        else {
            panic!("a result")
        };
        let name = |name: &Option<TypeName>| {
            let name = name.as_ref().unwrap();
            format!("{}.{}", name.interface.as_ref().unwrap(), name.name)
        };
        assert_eq!(
            name(&ok.name),
            "shop:product/types@0.1.0.product",
            "{world}"
        );
        assert_eq!(name(&err.name), "stoa:service/types@0.1.0.error", "{world}");
    }
}

#[test]
fn an_interface_on_both_sides_is_seen_on_each_by_itself() {
    let wit = "package a:b; interface i { f: func(); g: func(); }
        world w { import i; export i; }";
    let both = contract(wit, "w");
    assert_eq!(
        (names(both.imports()), names(both.exports())),
        (vec!["a:b/i".to_owned()], vec!["a:b/i".to_owned()])
    );
}

#[test]
fn says_what_the_bytes_are() {
    let (code, message) = refused(b"");
    assert_eq!(code, "empty", "{message}");
    let (code, message) = refused(b"\x7fELF\x02\x01\x01\0");
    assert_eq!(code, "not_wasm");
    assert!(
        message.contains("7f 45 4c 46 02 01 01 00 (a native Linux program"),
        "{message}"
    );
    let (code, message) = refused(b"  (component)");
    assert!(
        code == "not_wasm" && message.contains("wasm-tools parse"),
        "{message}"
    );
    let (code, message) = refused(b"\0asm\x01\0\0\0");
    assert!(
        code == "core_module" && message.contains("wasm32-wasip2"),
        "{message}"
    );
    assert_eq!(refused(b"\0as").0, "truncated");
    assert_eq!(refused(b"\0asm\x0d\0").0, "truncated");
    let (code, message) = refused(b"\0asm\x02\0\0\0");
    assert!(
        code == "not_wasm" && message.contains("unknown version 02 00 00 00"),
        "{message}"
    );
    assert!(
        Contract::read(b"\0asm\x0d\0\x01\0")
            .unwrap()
            .exports()
            .is_empty()
    );
}

#[test]
fn a_wit_package_is_no_component() {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", SHOP).unwrap();
    let (code, message) = refused(&wit_component::encode(&resolve, package).unwrap());
    assert!(
        code == "wit_package" && message.contains("without code"),
        "{message}"
    );
}

#[test]
fn says_when_the_end_is_missing() {
    let whole = component(SHOP, "product");
    let (mut truncated, mut accepted) = (0, 0);
    for length in 1..whole.len() {
        match Contract::read(&whole[..length]) {
            Ok(_) => accepted += 1,
            Err(fault) if fault.code == FaultCode::Truncated => truncated += 1,
            Err(fault) => panic!("{length} of {} bytes: {fault}", whole.len()),
        }
    }
    // A cut between two sections can't be told from a whole component; there
    // are a hundred sections, of dozens of bytes each.
    assert!(truncated > 20 * accepted, "{truncated} {accepted}");
}

#[test]
fn refuses_imports_that_nothing_can_meet() {
    let wit = "package a:b; world w { import log: func(text: string); import inner: interface { f: func(); } }";
    let (code, message) = refused(&component(wit, "w"));
    assert_eq!(code, "plain_import");
    assert!(
        message.contains("function log, interface inner"),
        "{message}"
    );
}

#[test]
fn names_what_cannot_leave_its_instance() {
    let wit = "package a:b;
        interface files { resource file { read: func() -> u8; } open: func(path: string) -> file; }
        interface feed { watch: async func(names: list<string>) -> option<stream<u8>>; }
        interface bare { resource handle; }
        interface plain { ping: func() -> u8; }
        world w { export files; export feed; export bare; export plain; }";
    let contract = Contract::read(&async_component(wit, "w")).unwrap();
    let reason = |name: &str| {
        contract
            .exports()
            .iter()
            .find(|interface| interface.name.interface == name)
            .unwrap()
            .handles
            .clone()
    };
    assert_eq!(reason("plain"), None);
    assert_eq!(reason("bare").unwrap(), "it has the resource handle");
    assert_eq!(
        reason("feed").unwrap(),
        "function watch: the result has the type stream<u8>, which can't leave its instance"
    );
    let files = reason("files").unwrap();
    assert!(
        files.contains("the type resource file, which can't leave its instance"),
        "{files}"
    );
    assert!(contract.is_async());
}

#[test]
fn tells_which_engine_it_needs() {
    let is_async = |bytes: Vec<u8>| Contract::read(&bytes).unwrap().is_async();
    let wit = "package a:b; interface i { f: async func(); } interface j { g: func(); } world exports { export i; } world imports { import i; }
        world sync { import j; export j; } world random { import wasi:random/random@0.3.0; } package wasi:random@0.3.0 { interface random { get: func() -> u64; } }";
    assert!(is_async(async_component(wit, "exports")));
    assert!(is_async(component(wit, "imports")));
    assert!(is_async(component(wit, "random")));
    assert!(!is_async(component(wit, "sync")));
    assert!(
        is_async(async_component(wit, "sync")),
        "its types are synchronous, its code is not"
    );
}

#[test]
fn finds_its_own_http_handlers() {
    let http = |version: &str, interface: &str| {
        let wit = format!(
            "package a:b; world w {{ export wasi:http/{interface}@{version}; }}
             package wasi:http@{version} {{ interface {interface} {{ handle: func(); }} }}"
        );
        contract(&wit, "w").serves_http()
    };
    assert_eq!(
        http("0.2.12", "incoming-handler"),
        ServesHttp {
            p2: true,
            p3: false
        }
    );
    assert_eq!(
        http("0.3.0", "handler"),
        ServesHttp {
            p2: false,
            p3: true
        }
    );
    assert_eq!(http("0.3.0", "client"), ServesHttp::default());
}

#[test]
fn writes_wit_that_can_be_read_again() {
    let wit = "package a:b@1.2.3;
        interface %type {
            record %record { %bool: bool, pair: tuple<u8, list<f32>> }
            variant v { %none, some(%record) }
            enum e { x, y }
            flags f { r, w }
            resource file { constructor(path: string); open: static func(v: v) -> result<file, e>; read: func(max: u64) -> list<u8>; }
            type alias = list<e>;
            get: func(f: borrow<file>, %flags: f) -> result<_, alias>;
            nothing: func() -> result;
        }
        interface user { use %type.{v as w, e, file}; g: func(v: w, e: e) -> option<file>; }
        world w { import %type; export user; export run: func(x: u32) -> string; }";
    let printed = contract(wit, "w").to_wit();
    let mut resolve = Resolve::default();
    if let Err(fault) = resolve.push_str("printed.wit", &printed) {
        panic!("{fault:#}\n{printed}");
    }
    let again = resolve
        .packages
        .iter()
        .find(|(_, package)| package.name.name == "component")
        .unwrap()
        .0;
    let world = resolve.select_world(&[again], Some("root")).unwrap();
    assert_eq!(
        (
            resolve.worlds[world].imports.len(),
            resolve.worlds[world].exports.len()
        ),
        (1, 2),
        "{printed}"
    );
    for line in [
        "  import a:b/%type@1.2.3;",
        "  export run: func(x: u32) -> string;",
        "    use %type.{e, file, v};",
        "    type alias = list<e>;",
    ] {
        assert!(
            printed.lines().any(|found| found == line),
            "{line}\n{printed}"
        );
    }
    let product = contract(SHOP, "product").to_wit();
    assert!(
        product.contains("    get: func(id: string) -> result<product, error>;"),
        "{product}"
    );
    assert!(
        Resolve::default().push_str("printed.wit", &product).is_ok(),
        "{product}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A changed, lengthened or shortened component is read or refused: whatever
    /// is read can also be printed and compared.
    #[test]
    fn no_bytes_cause_a_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>(), keep in prop::bool::weighted(0.8)) {
        thread_local!(static COMPONENT: Vec<u8> = component(SHOP, "decorator"));
        let mut bytes = COMPONENT.with(Clone::clone);
        for (place, byte) in changes {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if !keep {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(contract) = Contract::read(&bytes) {
            prop_assert!(!contract.to_wit().is_empty());
            for interface in contract.imports() {
                for export in contract.exports() {
                    let _ = compat::provides(&contract, &export.name, &contract, &interface.name);
                }
            }
        }
    }

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.extend(&bytes);
        prop_assert!(Contract::read(&bytes).is_err());
        let _ = Contract::read(&component);
    }
}
