//! Where traces are sent to: the operator's own setting, else those that OpenTelemetry has for all programs.

use url::Url;

use crate::cli::RunArguments;

/// Where a collector takes traces, below the address that it has for everything.
const TRACES: &str = "v1/traces";

/// The address is none that traces can be sent to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{setting}: {given:?} is not the address of a collector: give one such as http://collector.monitoring:4318, without user \
     and query"
)]
pub struct CollectorFault {
    setting: &'static str,
    given: String,
}

/// The URL that traces are sent to; none where none is named.
pub fn read(arguments: &RunArguments) -> Result<Option<String>, CollectorFault> {
    if let Some(given) = named(arguments.otlp_endpoint.as_deref()) {
        return below("--otlp-endpoint (TAURUS_OTLP_ENDPOINT)", given).map(Some);
    }
    if let Some(given) = named(arguments.otel_exporter_otlp_traces_endpoint.as_deref()) {
        let setting = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        return Ok(Some(address(setting, given)?.into()));
    }
    match named(arguments.otel_exporter_otlp_endpoint.as_deref()) {
        Some(given) => below("OTEL_EXPORTER_OTLP_ENDPOINT", given).map(Some),
        None => Ok(None),
    }
}

/// An empty one stands for none, as for an unset variable of a Deployment.
fn named(given: Option<&str>) -> Option<&str> {
    given.map(str::trim).filter(|given| !given.is_empty())
}

fn below(setting: &'static str, given: &str) -> Result<String, CollectorFault> {
    let url = address(setting, given)?;
    Ok(format!("{}/{TRACES}", url.as_str().trim_end_matches('/')))
}

/// Who has to sign in does so with a header: a user in an address would be logged.
fn address(setting: &'static str, given: &str) -> Result<Url, CollectorFault> {
    let url = Url::parse(given).ok().filter(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && plain
            && url.query().is_none()
    });
    url.ok_or_else(|| CollectorFault {
        setting,
        // What stands before an '@' may be a password.
        given: given.rsplit('@').next().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn with(flags: &[&str]) -> Result<Option<String>, CollectorFault> {
        let line = ["operator", "run"].iter().chain(flags);
        let Command::Run(mut arguments) = Cli::parse_from(line).command else {
            panic!("it must run");
        };
        // Whoever runs the tests may have a collector.
        if !flags
            .iter()
            .any(|flag| flag.starts_with("--otel-exporter-otlp-endpoint"))
        {
            arguments.otel_exporter_otlp_endpoint = None;
        }
        read(&arguments)
    }

    #[test]
    fn nobody_is_traced_unless_asked_for() {
        assert_eq!(with(&[]), Ok(None));
        assert_eq!(with(&["--otlp-endpoint= "]), Ok(None));
    }

    #[test]
    fn the_operators_own_setting_goes_first_then_that_of_traces() {
        let own = "--otlp-endpoint=http://one:4318/";
        let traces = "--otel-exporter-otlp-traces-endpoint=https://two.example.com/in/here";
        let all = "--otel-exporter-otlp-endpoint=http://three:4318/base";
        for (flags, url) in [
            (&[own, traces, all][..], "http://one:4318/v1/traces"),
            (&[traces, all], "https://two.example.com/in/here"),
            (&[all], "http://three:4318/base/v1/traces"),
        ] {
            assert_eq!(with(flags), Ok(Some(url.to_owned())));
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_what_may_be_a_password() {
        for given in [
            "collector:4318",
            "grpc://collector:4317",
            "http://",
            "http://a?b=c",
        ] {
            let flag = format!("--otlp-endpoint={given}");
            let fault = with(&[&flag]).unwrap_err().to_string();
            assert!(
                fault.contains("--otlp-endpoint (TAURUS_OTLP_ENDPOINT)"),
                "{fault}"
            );
        }
        let fault = with(&["--otlp-endpoint=http://me:hunter2@collector:4318"]).unwrap_err();
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }
}
