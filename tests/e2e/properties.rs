//! HTTP to WIT and back, by property: every type, every fault with its place.

use std::sync::Mutex;

use anyhow::{Context as _, Result, ensure};
use http::Request;
use proptest::prelude::{any, prop_assert_eq};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;
use stoa_tests::client::{Answer, Client, full};
use stoa_tests::process::HostProcess;
use tokio::runtime::Runtime;

use crate::serving;
use crate::transcode::values;
use crate::values::Type;

/// A host, and a client whose answers a property can wait for.
struct Bench {
    runtime: Runtime,
    client: Mutex<Client>,
    _host: HostProcess,
}

impl Bench {
    fn new() -> Result<Self> {
        let runtime = Runtime::new()?;
        let host = runtime.block_on(serving(&[values()]))?;
        Ok(Self {
            client: Mutex::new(Client::http1(host.http)),
            runtime,
            _host: host,
        })
    }

    fn post(&self, path: &str, body: String) -> Result<Answer> {
        let mut client = self
            .client
            .lock()
            .expect("no property panics with the client");
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(full(body))?;
        self.runtime.block_on(client.send(request))
    }

    /// Runs a property for each type, with what it makes of the type.
    fn for_each<S: Strategy>(
        &self,
        cases: u32,
        make: impl Fn(&Type) -> S,
        property: impl Fn(&str, &Type, S::Value) -> Result<()>,
    ) -> Result<()> {
        for (name, ty) in Type::all() {
            let mut runner = TestRunner::new(Config {
                cases,
                failure_persistence: None,
                ..Config::default()
            });
            let checked = runner.run(&make(&ty), |value| {
                property(name, &ty, value)
                    .map_err(|fault| TestCaseError::fail(format!("{fault:#}")))
            });
            checked.map_err(|fault| anyhow::anyhow!("{name}: {fault}"))?;
        }
        Ok(())
    }
}

/// An answer's value: none is 204, without a body.
fn body(answer: &Answer) -> Result<Value> {
    match answer.status.as_u16() {
        204 => Ok(Value::Null),
        200 => answer.json(),
        _ => anyhow::bail!("{}: {}", answer.status, answer.text()),
    }
}

#[test]
fn every_value_comes_back_as_it_went() -> Result<()> {
    let bench = Bench::new()?;
    bench.for_each(128, Type::fitting, |name, ty, sent| {
        let answer = bench.post(&format!("/{name}"), sent.to_string())?;
        let came = body(&answer).with_context(|| format!("for {sent}"))?;
        let (meant, means) = (ty.meaning(&sent), ty.meaning(&came));
        ensure!(meant.is_some(), "the model disagrees with itself on {sent}");
        ensure!(meant == means, "sent {sent}, found {came}");
        Ok(())
    })
}

/// Every finite float comes back bit for bit. As text: a JSON reader may round.
#[test]
fn every_float_comes_back_exactly() -> Result<()> {
    let bench = Bench::new()?;
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let floats = (any::<f64>(), any::<f32>())
        .prop_filter("JSON has no such numbers", |(double, single)| {
            double.is_finite() && single.is_finite()
        });
    let checked = runner.run(&floats, |(double, single)| {
        let came = |path: &str, sent: String| {
            let answer = bench.post(path, sent).and_then(|answer| answer.expect(200));
            answer
                .map(|answer| answer.text())
                .map_err(|fault| TestCaseError::fail(format!("{fault:#}")))
        };
        let text = came("/f64", format!("{double:?}"))?;
        prop_assert_eq!(text.parse::<f64>().ok(), Some(double), "{}", text);
        let text = came("/f32", format!("{single:?}"))?;
        prop_assert_eq!(text.parse::<f32>().ok(), Some(single), "{}", text);
        Ok(())
    });
    checked.map_err(|fault| anyhow::anyhow!("{fault}"))
}

/// JSON with one place damaged: it is taken exactly where it still fits, and
/// what is refused says where, before the guest sees it.
#[test]
fn what_does_not_fit_is_refused_with_its_place() -> Result<()> {
    let bench = Bench::new()?;
    bench.for_each(256, Type::damaged, |name, ty, (sent, place)| {
        let answer = bench.post(&format!("/{name}"), sent.to_string())?;
        let Some(meant) = ty.meaning(&sent) else {
            let problem = answer.problem(422).with_context(|| format!("for {sent}"))?;
            let pointer = problem["errors"][0]["pointer"]
                .as_str()
                .with_context(|| format!("no pointer in {problem}"))?;
            let near = place.starts_with(pointer) || pointer.starts_with(&place);
            ensure!(near, "damaged at {place:?}, but {problem} for {sent}");
            return Ok(());
        };
        let came = body(&answer).with_context(|| format!("for {sent}"))?;
        ensure!(
            Some(meant) == ty.meaning(&came),
            "sent {sent}, found {came}"
        );
        Ok(())
    })
}

/// Any bytes at all: refused or taken, never more than that.
#[test]
fn no_body_breaks_the_host() -> Result<()> {
    let bench = Bench::new()?;
    let bytes = "\\PC{0,40}|[\\[\\]{}:,\"0-9a-z\\\\. eE+-]{0,60}";
    bench.for_each(
        64,
        |_| bytes,
        |name, _, sent| {
            let answer = bench.post(&format!("/{name}"), sent.clone())?;
            let expected = [200, 204, 400, 422].contains(&answer.status.as_u16());
            ensure!(
                expected,
                "{} for {sent:?}: {}",
                answer.status,
                answer.text()
            );
            Ok(())
        },
    )
}
