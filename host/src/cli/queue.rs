//! `stoa queue`: what waits to be delivered.

use clap::{Args, Subcommand, ValueEnum};

use stoa_api::{QueueLook, QueueMessage, QueuePart, QueuePurge, QueueRedrive, QueueState};

use super::output::Tone;
use super::{Shared, service};

/// Look at queues, and at the calls that they hold.
#[derive(Debug, Args)]
pub struct Queue {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the queues, and what each holds for whom.
    Ls,
    /// Show the calls that a queue holds.
    Peek(Peek),
    /// Have calls that were given up delivered again, with all their attempts.
    Redrive(Redrive),
    /// Drop calls for good.
    Purge(Purge),
    /// Deliver nothing of a queue until it is resumed. It keeps calls all the same.
    Pause {
        /// The queue, such as shop:product/changes.
        queue: String,
    },
    /// Deliver again what a paused queue holds.
    Resume {
        /// The queue, such as shop:product/changes.
        queue: String,
    },
}

#[derive(Debug, Args)]
struct Peek {
    /// The queue, such as shop:product/changes.
    queue: String,
    /// Only calls for this service.
    #[arg(long, value_parser = service)]
    subscriber: Option<String>,
    /// Only calls in this state: waiting, in-flight, delayed, retrying, dead or paused.
    #[arg(long)]
    state: Option<String>,
    /// Only calls with a greater number.
    #[arg(long)]
    after: Option<u64>,
    /// How many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

#[derive(Debug, Args)]
struct Redrive {
    /// The queue, such as shop:product/changes.
    queue: String,
    /// Only calls with these numbers [default: all].
    ids: Vec<u64>,
    /// Only calls for this service.
    #[arg(long, value_parser = service)]
    subscriber: Option<String>,
    /// How many at most of each service, the oldest first.
    #[arg(long)]
    most: Option<usize>,
}

#[derive(Debug, Args)]
struct Purge {
    /// The queue, such as shop:product/changes.
    queue: String,
    /// What of it: what waits, what was given up, or everything.
    #[arg(value_enum)]
    what: Part,
    /// Only calls for this service.
    #[arg(long, value_parser = service)]
    subscriber: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    Waiting,
    Dead,
    All,
}

impl Queue {
    pub async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        match self.action {
            Action::Ls => list(shared).await,
            Action::Peek(peek) => peek.run(shared).await,
            Action::Redrive(redrive) => redrive.run(shared).await,
            Action::Purge(purge) => purge.run(shared).await,
            Action::Pause { queue } => pause(shared, &queue, true).await,
            Action::Resume { queue } => pause(shared, &queue, false).await,
        }
    }
}

async fn list(shared: &Shared) -> anyhow::Result<()> {
    let queues = shared.client()?.queues().await?;
    let rows = queues.iter().flat_map(rows).collect();
    let heads = [
        "QUEUE",
        "STATE",
        "SUBSCRIBER",
        "WAITING",
        "IN FLIGHT",
        "RETRYING",
        "DEAD",
        "OLDEST",
    ];
    shared.output().table(&queues, heads, rows)
}

/// One for each subscriber, or one if there is none.
fn rows(queue: &QueueState) -> Vec<[String; 8]> {
    let state = match (queue.bound, queue.paused) {
        (false, _) => "unbound",
        (true, true) => "paused",
        (true, false) => "delivers",
    };
    let row = |cells: [String; 6]| {
        let [subscriber, waiting, in_flight, retrying, dead, oldest] = cells;
        let (name, state) = (queue.queue.clone(), state.to_owned());
        [
            name, state, subscriber, waiting, in_flight, retrying, dead, oldest,
        ]
    };
    if queue.subscribers.is_empty() {
        let none = String::new;
        let waiting = queue.messages.to_string();
        return vec![row([
            "none".to_owned(),
            waiting,
            none(),
            none(),
            none(),
            none(),
        ])];
    }
    let subscribers = queue.subscribers.iter().map(|one| {
        let oldest = one.oldest_ms.map(|ms| format!("{:.1} s", ms as f64 / 1e3));
        row([
            one.service.clone(),
            (one.waiting + one.delayed).to_string(),
            one.in_flight.to_string(),
            one.retrying.to_string(),
            one.dead.to_string(),
            oldest.unwrap_or_default(),
        ])
    });
    subscribers.collect()
}

impl Peek {
    async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let look = QueueLook {
            subscriber: self.subscriber,
            state: self.state,
            after: self.after,
            limit: Some(self.limit.into()),
        };
        let client = shared.client()?;
        let messages = client.queue_messages(&self.queue, &look).await?;
        let rows = messages.iter().map(message).collect();
        let heads = [
            "ID",
            "SUBSCRIBER",
            "STATE",
            "KEY",
            "CALL",
            "ATTEMPTS",
            "DUE",
            "ERROR",
        ];
        shared.output().table(&messages, heads, rows)
    }
}

fn message(one: &QueueMessage) -> [String; 8] {
    [
        one.id.to_string(),
        one.subscriber.clone().unwrap_or_else(|| "none".to_owned()),
        one.state.clone(),
        one.key.clone().unwrap_or_default(),
        format!("{} {}", one.function, one.arguments),
        one.attempts.to_string(),
        one.due.clone(),
        one.error.clone().unwrap_or_default(),
    ]
}

impl Redrive {
    async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let request = QueueRedrive {
            subscriber: self.subscriber,
            ids: (!self.ids.is_empty()).then_some(self.ids),
            most: self.most,
        };
        let client = shared.client()?;
        let redriven = client.redrive(&self.queue, &request).await?;
        done(shared, redriven.calls, "delivered again", &redriven)
    }
}

impl Purge {
    async fn run(self, shared: &Shared) -> anyhow::Result<()> {
        let request = QueuePurge {
            subscriber: self.subscriber,
            what: match self.what {
                Part::Waiting => QueuePart::Waiting,
                Part::Dead => QueuePart::Dead,
                Part::All => QueuePart::All,
            },
        };
        let client = shared.client()?;
        let purged = client.purge_queue(&self.queue, &request).await?;
        done(shared, purged.calls, "purged", &purged)
    }
}

async fn pause(shared: &Shared, queue: &str, paused: bool) -> anyhow::Result<()> {
    let state = shared.client()?.pause_queue(queue, paused).await?;
    let output = shared.output();
    if output.is_json() {
        return output.json(&state);
    }
    let told = match paused {
        true => format!("{queue} is paused: it keeps calls and delivers none"),
        false => format!("{queue} delivers"),
    };
    output.line(&output.paint(Tone::Good, &told))
}

fn done(
    shared: &Shared,
    calls: u64,
    what: &str,
    reply: &impl serde::Serialize,
) -> anyhow::Result<()> {
    let output = shared.output();
    if output.is_json() {
        return output.json(reply);
    }
    let calls = match calls {
        1 => "1 call is".to_owned(),
        count => format!("{count} calls are"),
    };
    output.line(&output.paint(Tone::Good, &format!("{calls} {what}")))
}
