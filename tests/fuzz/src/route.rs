//! The keys of routes, and the paths of requests.

use http::uri::PathAndQuery;
use stoa_gateway::table::path::{Pattern, Tree};
use stoa_settings::manifest::route::{RouteKey, parse_key as route_place};
use stoa_settings::spelling::{laxest, normal};
use stoa_settings::{MAX_PARAMETERS, MAX_SEGMENTS};

/// What stands for a parameter of a template, one after the other.
const FILLED: [&str; 5] = ["x", "a%2Fb", "{id}", "*", "..."];
/// What stands for a wildcard.
const BELOW: [&str; 4] = ["", "/", "/a", "/a/../b//"];

/// The first line is the path of a request, each other the key of a route. A key
/// that is taken must mean the same when it is written, its template must take the
/// paths that it makes, and of all templates the most specific one takes the request.
///
/// # Panics
/// When it does not.
pub fn route(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.split('\n');
    let request = lines.next().unwrap_or_default();
    let places: Vec<RouteKey> = lines.filter_map(|key| route_place(key).ok()).collect();
    for place in &places {
        let written = key(place);
        assert_eq!(route_place(&written).as_ref(), Ok(place), "{written}");
    }
    let templates: Vec<&str> = places.iter().map(|place| &*place.path).collect();
    for template in &templates {
        takes_its_own(template);
    }
    lax(request);
    // What has more parameters or segments than there is room for is refused on deploy.
    if let Ok(found) = find_path(&templates, request) {
        assert_eq!(found, most_specific(&templates, request), "{request:?}");
    }
}

fn key(place: &RouteKey) -> String {
    let method = place.method.as_deref().map(|method| format!("{method} "));
    let host = place.host.as_deref().unwrap_or_default();
    format!("{}{host}{}", method.unwrap_or_default(), place.path)
}

fn takes_its_own(template: &str) {
    let mut filled = Vec::new();
    let mut path = String::new();
    for segment in template.split('/').skip(1) {
        if segment == "*" {
            continue;
        }
        path.push('/');
        if segment.starts_with('{') {
            filled.push(FILLED[filled.len() % FILLED.len()]);
            path.push_str(filled[filled.len() - 1]);
        } else {
            path.push_str(segment);
        }
    }
    let below = if template.ends_with("/*") {
        &BELOW[..]
    } else {
        &BELOW[..1]
    };
    for below in below {
        let path = format!("{path}{below}");
        let Ok(found) = find_path(&[template], &path) else {
            let segments = template.matches('/').count();
            let large = filled.len() > MAX_PARAMETERS || segments > MAX_SEGMENTS;
            assert!(large, "{template:?} is refused");
            return;
        };
        let (_, parameters) =
            found.unwrap_or_else(|| panic!("{template:?} does not take {path:?}"));
        assert_eq!(parameters, filled, "{template:?} {path:?}");
        if !path.is_empty() {
            let uri: PathAndQuery = path
                .parse()
                .unwrap_or_else(|fault| panic!("{path:?}: {fault}"));
            assert_eq!(uri.path(), path);
        }
    }
}

/// The most specific of these templates for a path, and the path's parameters.
///
/// # Errors
/// Why a template can't be used.
pub(crate) fn find_path(
    templates: &[&str],
    path: &str,
) -> Result<Option<(usize, Vec<String>)>, String> {
    let mut tree = Tree::default();
    for (at, template) in templates.iter().enumerate() {
        tree.insert(&Pattern::parse(template)?, at);
    }
    let found = tree.find(path).map(|(at, parameters)| {
        let parameters = parameters.as_slice().iter();
        (*at, parameters.map(ToString::to_string).collect())
    });
    Ok(found)
}

/// The laxest spelling has no trick left in it.
fn lax(path: &str) {
    let lax = laxest(path);
    let plain = |segment: &str| segment != "." && segment != "..";
    if path.starts_with('/') {
        assert!(
            lax.starts_with('/') && !lax.contains("//"),
            "{path:?} {lax:?}"
        );
        assert!(lax.split('/').all(plain), "{path:?} {lax:?}");
    }
}

/// The same as the tree finds, by looking at each template. The rank of a template
/// for a path has a digit for each segment, the least is the most specific.
fn most_specific(templates: &[&str], path: &str) -> Option<(usize, Vec<String>)> {
    let ranked = templates.iter().enumerate().filter_map(|(at, template)| {
        let (rank, parameters) = rank(template, path)?;
        Some((rank, at, parameters))
    });
    let (_, at, parameters) = ranked.min_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)))?;
    Some((at, parameters))
}

fn rank(template: &str, path: &str) -> Option<(Vec<u8>, Vec<String>)> {
    let mut wanted = template.split('/').skip(1);
    let mut given = path
        .strip_prefix('/')
        .into_iter()
        .flat_map(|path| path.split('/'));
    let (mut rank, mut parameters) = (Vec::new(), Vec::new());
    loop {
        match (wanted.next(), given.next()) {
            (Some("*"), _) => {
                rank.push(2);
                return Some((rank, parameters));
            }
            (None, None) => {
                rank.push(0);
                return Some((rank, parameters));
            }
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                rank.push(1);
                parameters.push(given.to_owned());
            }
            (Some(wanted), Some(given)) if normal(wanted) == normal(given) => rank.push(0),
            _ => return None,
        }
    }
}
