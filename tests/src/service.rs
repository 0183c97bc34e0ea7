//! What a test deploys: a component and its settings, in the admin API's shape.

use serde_json::{Value, json};

/// One service of a deployment.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its component's bytes.
    pub component: Vec<u8>,
    settings: Value,
    canary: Option<u8>,
    stages: Option<Value>,
}

impl Service {
    /// A service of the component in a file, such as those of [`crate::guests`].
    ///
    /// # Panics
    /// When the file can't be read.
    pub fn new(name: &str, file: &str) -> Self {
        let component = std::fs::read(file).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        Self::of_bytes(name, component)
    }

    /// A service of a component in memory, well-formed or not.
    pub fn of_bytes(name: &str, component: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            component,
            settings: json!({ "routes": [] }),
            canary: None,
            stages: None,
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Adds a public route to a function: `("GET /hello/{name}", "test:hello/greeter.greet")`.
    #[must_use]
    pub fn call(self, key: &str, function: &str) -> Self {
        self.route(
            key,
            json!({ "target": { "call": function }, "access": "public" }),
        )
    }

    /// Adds a public route to the component's own `wasi:http` handler.
    #[must_use]
    pub fn http(self, key: &str) -> Self {
        self.route(key, json!({ "target": "http", "access": "public" }))
    }

    /// Adds a route with these further settings. The key is as in a manifest:
    /// `GET example.com/products/{id}`, method and host being optional.
    #[must_use]
    pub fn route(mut self, key: &str, mut route: Value) -> Self {
        let (method, place) = match key.split_once(' ') {
            Some((method, place)) => (Some(method), place),
            None => (None, key),
        };
        let (host, path) = place.split_at(place.find('/').unwrap_or(0));
        route["path"] = json!(path);
        if let Some(method) = method {
            route["method"] = json!(method);
        }
        if !host.is_empty() {
            route["host"] = json!(host);
        }
        self.settings["routes"]
            .as_array_mut()
            .expect("routes are an array from the start")
            .push(route);
        self
    }

    /// Sets a value of the settings: `("pool.max", json!(1))`.
    #[must_use]
    pub fn set(mut self, path: &str, value: Value) -> Self {
        let place = path
            .split('.')
            .fold(&mut self.settings, |place, key| &mut place[key]);
        *place = value;
        self
    }

    /// Gives the revision this share of the traffic, in per cent.
    #[must_use]
    pub fn canary(mut self, percent: u8) -> Self {
        self.canary = Some(percent);
        self
    }

    /// Lets the host widen the revision's share: `(&[5, 100], "30s")`.
    #[must_use]
    pub fn stages(mut self, shares: &[u8], every: &str) -> Self {
        self.stages = Some(json!({ "shares": shares, "every": every }));
        self
    }

    /// As an element of the body of `POST /v1/deployments`.
    pub fn request(&self, digest: &str) -> Value {
        let mut request =
            json!({ "service": self.name, "component": digest, "settings": self.settings });
        if let Some(canary) = self.canary {
            request["canary"] = json!(canary);
        }
        if let Some(stages) = &self.stages {
            request["stages"] = stages.clone();
        }
        request
    }
}
