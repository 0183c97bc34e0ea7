//! The `stoa` command.
fn main() -> anyhow::Result<()> {
    let mut config = stoa::config::Config::load(None, &[])?;
    let args: Vec<String> = std::env::args().collect();
    for pair in args[2..].chunks(2) {
        match pair[0].as_str() {
            "--listen" => config.listen = pair[1].parse()?,
            "--admin" => config.admin = pair[1].parse()?,
            "--data" => config.data = pair[1].clone().into(),
            _ => {}
        }
    }
    let rt = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism()?.get())
        .enable_all()
        .build()?;
    rt.block_on(async {
        let host = stoa::host::Host::start(config).await?;
        host.run(async {
            let _ = stoa::shutdown::signal().await;
        })
        .await
    })
}
