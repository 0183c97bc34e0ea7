use serde_json::json;

use super::*;

/// Keeps what it hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Told>>);

/// Application → its instances.
type Told = BTreeMap<String, Vec<(String, Status)>>;

impl Sink for Heard {
    fn changed(&self, app: &str, instances: &[Arc<Instance>]) {
        let told = instances
            .iter()
            .map(|instance| (instance.id.clone(), instance.status()));
        self.0
            .lock()
            .unwrap()
            .insert(app.to_owned(), told.collect());
    }

    fn renewed(&self, _: &Instance) {}
}

fn instance(app: &str, id: &str) -> Instance {
    let value = json!({
        "app": app, "instanceId": id, "hostName": "h", "ipAddr": "10.0.0.1", "status": "UP",
        "port": { "$": 8080, "@enabled": "true" },
        "dataCenterInfo": { "name": "MyOwn" },
        "lastDirtyTimestamp": "7"
    });
    Instance::read(&value).unwrap()
}

fn registry() -> (Registry, Heard) {
    let heard = Heard::default();
    (Registry::new(Box::new(heard.clone())), heard)
}

async fn seconds(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_unless_it_is_renewed() {
    let (registry, heard) = registry();
    registry.register(instance("shop", "a")).unwrap();
    registry.register(instance("shop", "b")).unwrap();
    seconds(60).await;
    assert!(registry.renew("SHOP", "a", Some(7)) && registry.renew("shop", "a", None));
    seconds(31).await;
    registry.sweep();
    assert!(registry.instance("shop", "b").is_none() && !registry.renew("SHOP", "b", None));
    assert_eq!(
        heard.0.lock().unwrap()["SHOP"],
        [("a".to_owned(), Status::Up)]
    );
    assert!(
        !registry.renew("SHOP", "a", Some(8)),
        "the client has something newer to tell"
    );
    seconds(600).await;
    registry.sweep();
    assert!(registry.apps().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_partition_takes_a_share_out_at_a_time() {
    let (registry, _) = registry();
    for id in 0..100 {
        registry
            .register(instance("shop", &id.to_string()))
            .unwrap();
    }
    seconds(100).await;
    registry.sweep();
    assert_eq!(registry.app("shop").unwrap().1.len(), 85);
    for id in 0..100 {
        registry.renew("shop", &id.to_string(), None);
    }
    registry.sweep();
    assert_eq!(registry.app("shop").unwrap().1.len(), 85);
}

#[tokio::test(start_paused = true)]
async fn an_override_outlives_registrations_until_it_is_removed() {
    let (registry, heard) = registry();
    registry.register(instance("shop", "a")).unwrap();
    let status = |registry: &Registry| registry.instance("shop", "a").unwrap().status();
    assert!(registry.change("shop", "a", |one| {
        one.overridden = Some(Status::OutOfService);
    }));
    registry.register(instance("shop", "a")).unwrap();
    assert_eq!(status(&registry), Status::OutOfService);
    assert_eq!(heard.0.lock().unwrap()["SHOP"][0].1, Status::OutOfService);
    registry.change("shop", "a", |one| one.overridden = None);
    assert_eq!(status(&registry), Status::Up);
    assert!(!registry.change("shop", "b", |_| {}));
}

#[tokio::test(start_paused = true)]
async fn the_delta_tells_the_last_change_of_each_and_forgets() {
    let (registry, _) = registry();
    registry.register(instance("shop", "a")).unwrap();
    registry.register(instance("shop", "b")).unwrap();
    assert!(registry.cancel("shop", "b") && !registry.cancel("shop", "b"));
    let (apps, version, hash) = registry.delta();
    let actions: Vec<_> = apps[0].1.iter().map(|one| one.action).collect();
    assert_eq!(actions, [Action::Added, Action::Deleted]);
    assert_eq!((version, hash.as_str()), (3, "UP_1_"));
    seconds(200).await;
    assert!(registry.delta().0.is_empty());
    assert_eq!(registry.delta().2, "UP_1_");
}

#[test]
fn the_hashcode_is_sorted_by_status() {
    let mut down = instance("a", "1");
    down.own_status = Status::Down;
    let mut out = instance("a", "2");
    out.overridden = Some(Status::OutOfService);
    let up = instance("b", "1");
    let apps = vec![
        ("A".to_owned(), vec![Arc::new(up.clone()), Arc::new(down)]),
        ("B".to_owned(), vec![Arc::new(out), Arc::new(up)]),
    ];
    assert_eq!(hashcode(&apps), "DOWN_1_OUT_OF_SERVICE_1_UP_2_");
}
