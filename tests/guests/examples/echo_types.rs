//! Answers each value with itself.

wit_bindgen::generate!({ path: ["../../wit/stoa-service", "wit"], world: "test:guests/echo-types", generate_all });

use exports::test::echo::values::{
    BareOutcome, Colour, Guest, Nested, Outcome, Parcel, Rights, Shape,
};

struct Echo;
export!(Echo);

macro_rules! echo {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(value: $type) -> $type {
            value
        })*
    };
}

impl Guest for Echo {
    echo! {
        echo_bool: bool, echo_u8: u8, echo_s8: i8, echo_u16: u16, echo_s16: i16, echo_u32: u32,
        echo_s32: i32, echo_u64: u64, echo_s64: i64, echo_f32: f32, echo_f64: f64, echo_char: char,
        echo_string: String, echo_bytes: Vec<u8>, echo_numbers: Vec<i32>, echo_matrix: Vec<Vec<f64>>,
        echo_tuple: (u8, String, Option<bool>), echo_option: Option<String>,
        echo_nested_option: Nested, echo_result: Outcome, echo_bare_result: BareOutcome,
        echo_enum: Colour, echo_flags: Rights, echo_variant: Shape, echo_record: Parcel,
        echo_records: Vec<Parcel>,
    }

    fn several(first: String, second: u32, third: Option<bool>) -> String {
        let third = third.map_or("none".to_owned(), |third| third.to_string());
        format!("{first}+{second}+{third}")
    }

    fn nothing(_value: String) {}
}
