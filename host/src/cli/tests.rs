mod docs;

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_is_understood() {
    for line in [
        "stoa up",
        "stoa up components --watch --listen 127.0.0.1:0 --admin 127.0.0.1:0 --data d --config c",
        "stoa serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --data d --config stoa-host.toml",
        "stoa build components",
        "stoa deploy",
        "stoa deploy product --component a.wasm --canary 10% --wait",
        "stoa deploy product --canary 5%,25%,100% --every 30s",
        "stoa rollback product --to 3",
        "stoa promote product",
        "stoa ls -o json",
        "stoa -o table --host http://h:1 --token t show product",
        "stoa revisions product --host http://h:1 --data d",
        "stoa routes",
        "stoa contract product --openapi",
        "stoa scale product --min 0 --max 8",
        "stoa scale product --max 8",
        "stoa breaker product",
        "stoa breaker product open --link gateway",
        "stoa breaker product auto",
        "stoa drain",
        "stoa drain product",
        "stoa drain product --timeout 10s",
        "stoa drain product --undo",
        "stoa logs",
        "stoa logs product -f --level warn",
        "stoa undeploy product --purge",
        "stoa completions bash",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for line in [
        "stoa fly",
        "stoa deploy --canary 101%",
        "stoa deploy --every 30s",
        "stoa deploy --canary 5%,50% --every 1ns",
        "stoa deploy --canary 5%,50% --every 2years",
        "stoa deploy --canary 0%",
        "stoa show Product",
        "stoa show ../secrets",
        "stoa scale product",
        "stoa scale product --max 0",
        "stoa scale product --max 1000001",
        "stoa scale product --min 4294967295",
        "stoa breaker product ajar",
        "stoa drain --undo",
        "stoa drain Product",
        "stoa breaker product --link gateway",
        "stoa ls -o yaml",
        "stoa logs --level loud",
        "stoa rollback product --to first",
    ] {
        let fault = parse(line).expect_err(line);
        assert_eq!(fault.exit_code(), 2, "{line}");
    }
}

#[test]
fn only_serving_takes_all_cores() {
    assert_eq!(parse("stoa serve").unwrap().threads(), Threads::Cores);
    assert_eq!(parse("stoa up").unwrap().threads(), Threads::Cores);
    assert_eq!(parse("stoa ls").unwrap().threads(), Threads::One);
}

#[test]
fn outcomes_become_exit_codes() {
    let code = |outcome| format!("{:?}", exit(outcome));
    assert_eq!(code(Ok(())), format!("{:?}", ExitCode::from(0)));
    assert_eq!(code(Err(Closed.into())), format!("{:?}", ExitCode::from(0)));
    assert_eq!(
        code(Err(anyhow::anyhow!("refused"))),
        format!("{:?}", ExitCode::from(1))
    );
    assert_eq!(
        code(Err(Usage("what".into()).into())),
        format!("{:?}", ExitCode::from(2))
    );
}

#[tokio::test]
async fn faults_in_settings_are_usage_and_bind_nothing() {
    let arguments = parse("stoa serve --listen here --drain soon").unwrap();
    let fault = arguments.run().await.unwrap_err();
    assert!(fault.is::<Usage>());
    let text = fault.to_string();
    assert!(text.contains("--listen: expected ADDRESS:PORT"), "{text}");
    assert!(text.contains("--drain: expected a duration"), "{text}");
}

#[test]
fn a_token_is_given_or_found_in_the_data_directory() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("token"), "secret\n").unwrap();
    let data = format!("--data {}", data.path().display());
    let token = |flags: &str| {
        let line = format!("stoa ls {flags}");
        parse(&line).unwrap().shared.place().token
    };
    assert_eq!(token(&data).as_deref(), Some("secret"));
    assert_eq!(
        token(&format!("{data} --token given")).as_deref(),
        Some("given")
    );
    assert_eq!(token("--data /nonexistent"), None);
}

#[tokio::test]
async fn a_build_runs_a_shared_command_once_and_checks_its_result() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[service.a]\ncomponent = \"a.wasm\"\nbuild = \"echo x >> a.wasm\"\n\
                [service.b]\ncomponent = \"a.wasm\"\nbuild = \"echo x >> a.wasm\"\n\
                [service.c]\ncomponent = \"c.wasm\"\nbuild = \"true\"\n";
    std::fs::write(folder.path().join("stoa.toml"), text).unwrap();
    let line = format!("stoa build {}", folder.path().display());
    let fault = parse(&line).unwrap().run().await.unwrap_err().to_string();
    assert!(
        fault.starts_with("the component of c is not at "),
        "{fault}"
    );
    let built = std::fs::read_to_string(folder.path().join("a.wasm")).unwrap();
    assert_eq!(built, "x\n");
}

#[tokio::test]
async fn a_failed_build_tells_its_status() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[service.a]\ncomponent = \"a.wasm\"\nbuild = \"exit 3\"\n";
    std::fs::write(folder.path().join("stoa.toml"), text).unwrap();
    let line = format!("stoa build {}", folder.path().display());
    let fault = parse(&line).unwrap().run().await.unwrap_err();
    let text = format!("{fault:#}");
    assert_eq!(
        text,
        "the build of a failed: `exit 3`: it ended with exit status: 3"
    );
}
