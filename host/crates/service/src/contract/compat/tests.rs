use super::super::tests::contract;
use super::*;

/// Checks an export with `functions` against an import with `imported`.
fn check(imported: &str, exported: &str) -> Result<(), String> {
    check_versions(("0.1.0", imported), ("0.1.3", exported))
}

fn check_versions(imported: (&str, &str), exported: (&str, &str)) -> Result<(), String> {
    let side = |(version, items): (&str, &str), how: &str| {
        let wit = format!(
            "package shop:product@{version}; interface inventory {{ {items} }} world w {{ {how} inventory; }}"
        );
        contract(&wit, "w")
    };
    let (consumer, provider) = (side(imported, "import"), side(exported, "export"));
    provides(
        &provider,
        &provider.exports()[0].name,
        &consumer,
        &consumer.imports()[0].name,
    )
}

const RESERVE: &str = "record line { sku: string, qty: u32 } reserve: func(order: string, lines: list<line>) -> result<_, string>;";

#[test]
fn more_functions_and_types_are_fine() {
    check(RESERVE, RESERVE).unwrap();
    check(
        RESERVE,
        &format!("{RESERVE} enum more {{ a }} get: func() -> more;"),
    )
    .unwrap();
    check(
        "get: func() -> tuple<u8>;",
        "type small = u8; type one = tuple<small>; get: func() -> one;",
    )
    .unwrap();
}

#[test]
fn says_where_and_how_the_two_sides_differ() {
    let cases = [
        (
            RESERVE.replace("u32", "u64"),
            "function reserve: parameter 2 `lines`: list: the element: record line: field `qty` is u32 in the import, u64 in the export",
        ),
        (
            RESERVE.replace("u32 }", "u32, note: string }"),
            "record line has the field `note` only in the export",
        ),
        (
            RESERVE.replace(", qty: u32", ""),
            "record line has no field `qty` in the export",
        ),
        (
            RESERVE.replace("qty", "count"),
            "record line has the field `qty` in the import, `count` in the export",
        ),
        (
            RESERVE.replace("sku: string, qty: u32", "qty: u32, sku: string"),
            "has the fields in the order sku, qty in the import, qty, sku in the export",
        ),
        (
            RESERVE.replace("order:", "id:"),
            "function reserve: parameter 1 is called order in the import, id in the export",
        ),
        (
            RESERVE.replace("order: string, ", ""),
            "function reserve: the parameters are order, lines in the import, lines in the export",
        ),
        (
            RESERVE.replace("_, string", "_, u8"),
            "function reserve: the result: result: err is string in the import, u8 in the export",
        ),
        (
            RESERVE.replace("_, string", "bool, string"),
            "the result: result: ok is nothing in the import, bool in the export",
        ),
        (
            RESERVE.replace("-> result<_, string>", ""),
            "function reserve: the result is result<_, string> in the import, nothing in the export",
        ),
        (
            RESERVE.replace("reserve:", "hold:"),
            "function reserve is not exported",
        ),
        (
            RESERVE.replace("list<line>", "option<line>"),
            "parameter 2 `lines` is list<line> in the import, option<line> in the export",
        ),
    ];
    for (exported, expected) in cases {
        let fault = check(RESERVE, &exported).unwrap_err();
        assert!(
            fault.contains(expected),
            "expected {expected}\n   found {fault}"
        );
        assert!(fault.contains("shop:product/inventory@0.1.0 as imported and shop:product/inventory@0.1.3 as exported"), "{fault}");
    }
}

#[test]
fn compares_every_kind_of_type() {
    let types = [
        "tuple<u8, u8>",
        "tuple<u8>",
        "list<u8>",
        "list<u16>",
        "option<u8>",
        "option<char>",
        "result",
        "result<u8>",
        "result<_, u8>",
        "string",
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
        "g",
        "h",
    ];
    let items = "enum a { x, y } enum b { x, z } flags c { x, y } flags d { x } variant e { x, y } variant f { x(u8), y } record g { x: u8 } record h { x: s8 }";
    for import in types {
        for export in types {
            let side = |ty: &str| format!("{items} get: func() -> {ty};");
            assert_eq!(
                check(&side(import), &side(export)).is_ok(),
                import == export,
                "{import} {export}"
            );
        }
    }
}

#[test]
fn types_are_told_whole_within_bounds() {
    let fault = check("get: func() -> u32;", "get: func() -> result<u32, string>;").unwrap_err();
    let expected = "the result is u32 in the import, result<u32, string> in the export";
    assert!(fault.contains(expected), "{fault}");
    // Each is twice the one before: no message holds what they are together.
    let twice = (0..40).fold("u8".to_owned(), |ty, _| format!("tuple<{ty}>"));
    let doubled = "type t0 = tuple<u8, u8>; ".to_owned()
        + &(1..15)
            .map(|at| format!("type t{at} = tuple<t{}, t{}>; ", at - 1, at - 1))
            .collect::<String>();
    for enormous in [
        format!("get: func() -> {twice};"),
        format!("{doubled} get: func() -> option<t14>;"),
    ] {
        let fault = check("get: func() -> u32;", &enormous).unwrap_err();
        assert!(fault.len() < 700, "{fault}");
    }
}

#[test]
fn async_must_agree() {
    let fault = check("get: async func();", "get: func();").unwrap_err();
    assert!(
        fault.contains("function get: it is async in the import, not async in the export"),
        "{fault}"
    );
}

#[test]
fn versions_must_agree() {
    let fault = check_versions(("0.1.0", RESERVE), ("0.2.0", RESERVE)).unwrap_err();
    assert!(
        fault.contains(
            "shop:product/inventory@0.1.0 is imported, shop:product/inventory@0.2.0 is exported"
        ),
        "{fault}"
    );
}

#[test]
fn handles_are_refused_with_the_reason() {
    let files = "resource file; open: func() -> file;";
    let fault = check(files, files).unwrap_err();
    assert!(
        fault.contains(
            "can't be linked between services: function open: the result has the type resource file"
        ),
        "{fault}"
    );
}

#[test]
fn a_name_that_is_not_there_is_said() {
    let contract = contract(
        "package a:b; interface i { f: func(); } world w { export i; }",
        "w",
    );
    let name = contract.exports()[0].name.clone();
    let fault = provides(&contract, &name, &contract, &name).unwrap_err();
    assert_eq!(fault, "a:b/i is not imported; imported are: none");
}
