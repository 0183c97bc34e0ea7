use std::path::Path;

/// What libFuzzer starts from, and what it found once.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let files = std::fs::read_dir(seeds.join(target)).expect("the seeds are there");
    let seeds = files.map(|file| std::fs::read(file.expect("it is there").path()));
    seeds.map(|seed| seed.expect("it can be read")).collect()
}

#[test]
fn manifests() {
    seeds("manifest")
        .iter()
        .for_each(|seed| crate::manifest(seed));
}

#[test]
fn routes() {
    seeds("route").iter().for_each(|seed| crate::route(seed));
}

#[test]
fn values() {
    seeds("transcode")
        .iter()
        .for_each(|seed| crate::transcode(seed));
}

#[test]
fn registrations() {
    seeds("eureka").iter().for_each(|seed| crate::eureka(seed));
}

/// Longer than what libFuzzer tries: nothing may follow it to the end of the stack.
#[test]
fn depth_has_an_end() {
    let deep = |start: &str, middle: &str, end: &str| {
        [start.repeat(20_000), middle.to_owned(), end.repeat(20_000)].concat()
    };
    crate::manifest(format!("a = {}", deep("[", "", "]")).as_bytes());
    crate::manifest(format!("a = {}", deep("{a=", "1", "}")).as_bytes());
    crate::manifest(format!("{} = 1", deep("a.", "a", "")).as_bytes());
    crate::manifest(format!("[{}]", deep("a.", "a", "")).as_bytes());
    crate::route(format!("{0}\n{0}\n{0}/*", deep("/a", "", "")).as_bytes());
    for ty in ["llllllllllllllllllllllll", "s", "oooooooooo"] {
        crate::transcode(format!("{ty}\n{}", deep("[", "", "]")).as_bytes());
        crate::transcode(format!("{ty}\n{}", deep("{\"some\":", "1", "}")).as_bytes());
    }
    crate::eureka(deep("<a>", "", "</a>").as_bytes());
    crate::eureka(format!("{{\"instance\":{}}}", deep("[", "", "]")).as_bytes());
}
