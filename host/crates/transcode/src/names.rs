//! The names of a record, variant, enum or flags type, in WIT and in JSON.

/// The name that JSON, paths and queries use for a WIT name: `line-items` is
/// `line_items`.
///
/// WIT names are unique without regard to case, so no two become one.
pub fn snake_case(kebab: &str) -> String {
    kebab
        .bytes()
        .map(|byte| char::from(snake_case_byte(byte)))
        .collect()
}

/// WIT names are ASCII.
pub(super) fn snake_case_byte(kebab: u8) -> u8 {
    if kebab == b'-' {
        b'_'
    } else {
        kebab.to_ascii_lowercase()
    }
}

/// The names of one type in declared order, found by either spelling.
#[derive(Debug)]
pub(super) struct Names {
    declared: Box<[Name]>,
    /// Indices into `declared`, ordered by the JSON spelling.
    by_json: Box<[usize]>,
}

/// One name in both spellings.
#[derive(Debug)]
pub(super) struct Name {
    /// As in the contract and in `Val`.
    pub wit: Box<str>,
    /// As clients write it.
    pub json: Box<str>,
}

impl Names {
    pub fn new<'a>(wit: impl Iterator<Item = &'a str>) -> Self {
        let declared: Box<[Name]> = wit
            .map(|wit| Name {
                wit: wit.into(),
                json: snake_case(wit).into(),
            })
            .collect();
        let mut by_json: Box<[usize]> = (0..declared.len()).collect();
        by_json.sort_by(|a, b| declared[*a].json.cmp(&declared[*b].json));
        Self { declared, by_json }
    }

    pub fn len(&self) -> usize {
        self.declared.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Name> {
        self.declared.iter()
    }

    pub fn wit(&self, index: usize) -> &str {
        &self.declared[index].wit
    }

    pub fn json(&self, index: usize) -> &str {
        &self.declared[index].json
    }

    pub fn find_wit(&self, wit: &str) -> Option<usize> {
        self.declared.iter().position(|name| &*name.wit == wit)
    }

    pub fn find_json(&self, json: &str) -> Option<usize> {
        self.by_json
            .binary_search_by(|index| (*self.declared[*index].json).cmp(json))
            .ok()
            .map(|at| self.by_json[at])
    }

    /// As [`Self::find_json`], with a guess: most clients send fields in their
    /// declared order.
    pub fn find_json_from(&self, guess: usize, json: &str) -> Option<usize> {
        match self.declared.get(guess) {
            Some(name) if &*name.json == json => Some(guess),
            _ => self.find_json(json),
        }
    }

    /// `; did you mean "sku"?` for a near miss, or nothing.
    pub fn suggestion(&self, json: &str) -> String {
        // The distance takes time in proportion to the length, which is the client's choice.
        const LONGEST: usize = 64;
        const FARTHEST: usize = 3;
        if json.len() > LONGEST {
            return String::new();
        }
        self.iter()
            .map(|name| (strsim::damerau_levenshtein(&name.json, json), name))
            .filter(|(distance, name)| *distance <= FARTHEST && *distance < name.json.len())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| format!("; did you mean {:?}?", name.json))
            .unwrap_or_default()
    }

    /// `"a", "b", "c"`, cut after some.
    pub fn list(&self) -> String {
        const SHOWN: usize = 12;
        let shown: Vec<String> = self
            .iter()
            .take(SHOWN)
            .map(|name| format!("{:?}", name.json))
            .collect();
        let more = if self.len() > SHOWN { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    }
}
