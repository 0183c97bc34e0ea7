//! README.md and the manual tell the truth, as far as a reader's machine can check
//! it: settings are read, links lead somewhere. `tests/tour.sh` plays their commands,
//! and the command line's own tests parse them.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use stoa_settings::Pool;
use stoa_settings::config::Config;
use stoa_settings::manifest::Manifest;
use stoa_settings::{Breaker, Retry, Rollout};
use stoa_tests::docs::{Block, Page, checkout, pages};

/// What a newcomer reads to its end.
const LONGEST_README: usize = 200;

#[test]
fn the_readme_is_short() {
    let lines = Page::read("README.md").text.lines().count();
    assert!(
        lines <= LONGEST_README,
        "README.md has {lines} lines: move what is over {LONGEST_README} to host/docs"
    );
}

#[test]
fn settings_in_blocks_are_read_without_a_fault() {
    let faults: Vec<_> = pages().iter().flat_map(faults_of_settings).collect();
    assert_none(&faults);
}

#[test]
fn links_lead_to_a_file_and_a_heading() {
    let faults: Vec<_> = pages().iter().flat_map(dead_links).collect();
    assert_none(&faults);
}

#[test]
fn the_index_and_the_readme_have_every_page() {
    for index in ["README.md", "host/docs/index.md"] {
        let index = Page::read(index);
        let linked: Vec<_> = links(&index)
            .into_iter()
            .map(|(_, link)| target(&index, &link).0)
            .collect();
        for page in pages() {
            assert!(
                page.file == index.file || linked.contains(&page.file),
                "{} has no link to {}",
                index.file.display(),
                page.file.display()
            );
        }
    }
}

#[test]
fn what_pages_call_defaults_are_the_defaults() {
    let settings = |page: &str| {
        let page = Page::read(page);
        let block = page.blocks("toml").remove(0);
        let manifest = Manifest::parse(Path::new("stoa.toml"), &whole(&block.text));
        let mut manifest = manifest.unwrap_or_else(|faults| panic!("{faults}"));
        let product = manifest.services.remove("product");
        product.expect("it is of the service product").settings
    };
    assert_eq!(settings("host/docs/stoa-toml.md").pool, Pool::default());
    let failures = settings("host/docs/failures-and-overload.md");
    assert_eq!(failures.breaker, Breaker::default());
    assert_eq!(failures.retry, Retry::default());
    assert_eq!(failures.rollout, Rollout::default());
}

// What keeps the checks above from passing for nothing.

#[test]
fn a_wrong_key_is_found() {
    let page = |block: &str| Page::of(&format!("# A\n\n```toml\n{block}\n```\n"));
    let faults = |block: &str| faults_of_settings(&page(block)).join("\n");
    assert_eq!(faults("[service.a.pool]\nmax = 3"), "");
    assert_eq!(faults("[gateway]\nrate = \"50/s\""), "");
    for (block, told) in [
        ("[service.a.pool]\nmost = 3", "made-up.md:3: stoa.toml:2"),
        ("[service.a.routes]\n\"GET x\" = { http = true }", "no path"),
        ("[upstream.a]\ntarget = []", "target"),
        ("[gateway]\nrates = \"50/s\"", "rates"),
        ("[gatevay]\nrate = \"50/s\"", "gatevay"),
        ("[package]\nname = \"hello\"", "package"),
        ("max = ", "made-up.md:3"),
    ] {
        assert!(faults(block).contains(told), "{block}: {}", faults(block));
    }
}

#[test]
fn a_dead_link_is_found() {
    let dead = |link: &str| dead_links(&Page::of(&format!("# A b\n\nSee [it]({link}).\n")));
    for link in [
        "index.md",
        "../../README.md#start",
        "../src/main.rs",
        "#a-b",
        "https://rustup.rs",
    ] {
        assert_none(&dead(link));
    }
    for link in [
        "indx.md",
        "README.md",
        "index.md#nothing",
        "#a",
        "../../../x",
    ] {
        assert_eq!(dead(link).len(), 1, "{link}");
    }
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// What the readers of settings find in a page's blocks.
fn faults_of_settings(page: &Page) -> Vec<String> {
    let blocks = page.blocks("toml");
    let faults = blocks.iter().filter_map(|block| {
        let fault = read(block).err()?;
        Some(format!("{}: {fault}", page.place(block.line)))
    });
    faults.collect()
}

/// Reads a block as what it is: a manifest if it has services or upstreams, else the
/// configuration of a host.
fn read(block: &Block) -> Result<(), String> {
    let table: toml::Table = block
        .text
        .parse()
        .map_err(|fault: toml::de::Error| fault.to_string())?;
    // Cargo reads it when the tour is played.
    if block.marker.as_deref() == Some("tour: file Cargo.toml") {
        return Ok(());
    }
    if ["app", "service", "upstream"]
        .iter()
        .any(|key| table.contains_key(*key))
    {
        let manifest = Manifest::parse(Path::new("stoa.toml"), &whole(&block.text));
        return manifest.map(drop).map_err(|faults| faults.to_string());
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file can be made");
    file.write_all(block.text.as_bytes())
        .expect("it can be written");
    let config = Config::load(Some(file.path()), &[]);
    config.map(drop).map_err(|faults| faults.to_string())
}

/// A manifest of a fragment: its services get the component that they lack. What is
/// added stands at the end, so that lines of faults stay right.
fn whole(text: &str) -> String {
    let table: toml::Table = text.parse().expect("it is TOML");
    let services = table.get("service").and_then(toml::Value::as_table);
    let mut text = text.to_owned();
    for (name, service) in services.into_iter().flatten() {
        if service.get("component").is_none() {
            text += &format!("[service.{name}]\ncomponent = \"{name}.wasm\"\n");
        }
    }
    text
}

/// The relative links of a page that lead nowhere.
fn dead_links(page: &Page) -> Vec<String> {
    let links = links(page).into_iter();
    let dead = links.filter_map(|(line, link)| {
        let fault = follow(page, &link).err()?;
        Some(format!("{}: {link}: {fault}", page.place(line)))
    });
    dead.collect()
}

/// The links of a page to its own project, with their lines.
fn links(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in page.prose() {
        let after = line.split("](").skip(1);
        let links = after.filter_map(|rest| Some(rest.split_once(')')?.0));
        let own = links.filter(|link| !link.contains("://"));
        found.extend(own.map(|link| (number, link.to_owned())));
    }
    found
}

/// The file below the checkout that a link leads to, and the heading.
fn target<'l>(page: &Page, link: &'l str) -> (PathBuf, Option<&'l str>) {
    let (file, heading) = match link.split_once('#') {
        Some((file, heading)) => (file, Some(heading)),
        None => (link, None),
    };
    if file.is_empty() {
        return (page.file.clone(), heading);
    }
    let folder = page.file.parent().expect("a page is in a folder");
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        if part != Component::ParentDir || !path.pop() {
            path.push(part);
        }
    }
    (path, heading)
}

fn follow(page: &Page, link: &str) -> Result<(), String> {
    let (file, heading) = target(page, link);
    let own = file == page.file;
    // What leads out of the checkout is in nobody's copy of it.
    if !own && (file.starts_with("..") || !checkout().join(&file).exists()) {
        return Err(format!("{} is not there", file.display()));
    }
    let Some(heading) = heading else {
        return Ok(());
    };
    let known = if own {
        headings(page)
    } else {
        headings(&Page::read(file))
    };
    if known.iter().any(|known| known == heading) {
        return Ok(());
    }
    Err(format!(
        "expected one of the headings {}, found {heading}",
        known.join(", ")
    ))
}

/// The headings of a page, as links name them.
fn headings(page: &Page) -> Vec<String> {
    let lines = page.prose().into_iter().map(|(_, line)| line);
    let titles = lines.filter(|line| line.starts_with('#'));
    titles
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

fn anchor(title: &str) -> String {
    let letters = title.trim().chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter => letter
            .is_alphanumeric()
            .then(|| letter.to_ascii_lowercase()),
    });
    letters.collect()
}
