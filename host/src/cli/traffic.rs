//! What `rollback` and `promote` show: who gets the traffic now.

use std::time::Duration;

use stoa_api::{LiveRevision, TrafficReply, TrafficRequest};

use super::Shared;
use super::output::{Tone, Took};

/// Changes the traffic of a service, and shows the outcome.
pub async fn change(
    shared: &Shared,
    service: &str,
    request: &TrafficRequest,
) -> anyhow::Result<()> {
    let (client, output) = (shared.client()?, shared.output());
    let reply = client.traffic(service, request).await?;
    if output.is_json() {
        return output.json(&reply);
    }
    output.line(&output.paint(Tone::Good, &summary(service, &reply)))
}

fn summary(service: &str, reply: &TrafficReply) -> String {
    let took = Took(Duration::from_micros(reply.micros));
    format!(
        "{service} is live: {}, swapped in {took}",
        shares(&reply.live)
    )
}

/// `revision 3`, or `revision 2 (90%), revision 3 (10%)`.
pub fn shares(live: &[LiveRevision]) -> String {
    match live {
        [] => "nothing".into(),
        [one] => format!("revision {}", one.revision),
        several => {
            let share = |one: &LiveRevision| format!("revision {} ({}%)", one.revision, one.weight);
            several.iter().map(share).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_api::PoolState;

    #[test]
    fn shares_are_told_where_there_are_several() {
        let live = |revision, weight| LiveRevision {
            revision,
            weight,
            component: "ab".into(),
            pool: PoolState::default(),
            reuse: None,
        };
        let reply = TrafficReply {
            live: vec![live(3, 100)],
            micros: 4_200,
        };
        assert_eq!(
            summary("a", &reply),
            "a is live: revision 3, swapped in 4.2 ms"
        );
        assert_eq!(
            shares(&[live(2, 90), live(3, 10)]),
            "revision 2 (90%), revision 3 (10%)"
        );
    }
}
