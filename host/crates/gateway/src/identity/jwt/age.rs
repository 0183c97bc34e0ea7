//! The age of the issuers' keys, as a metric.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use stoa_http::jwt::{JwksCache, NEVER};

/// How old the keys of each issuer are.
#[derive(Clone)]
pub struct Age(pub Vec<Arc<JwksCache>>);

impl fmt::Debug for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ages = self.0.iter().map(|jwks| (jwks.issuer(), jwks.age()));
        f.debug_map().entries(ages).finish()
    }
}

impl Collector for Age {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let kind = ConstGauge::new(0.0_f64).metric_type();
        let help = "Time since the issuer's keys were last read well.";
        let unit = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor("stoa_jwks_age", help, unit, kind)?;
        for jwks in &self.0 {
            let age = match jwks.age() {
                NEVER => f64::INFINITY,
                age => age.as_secs_f64(),
            };
            let age = ConstGauge::new(age);
            age.encode(family.encode_family(&[("issuer", jwks.issuer())])?)?;
        }
        Ok(())
    }
}
