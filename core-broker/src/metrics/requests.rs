//! Requests of Kafka clients: how many, how long, and which errors they were answered with.

use std::{fmt, time::Instant};

use kafka_wire::{ApiKey, ErrorCode, Response};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, counter::Counter, family::Family},
    registry::Unit,
};

use super::histogram::{Histogram, TIME};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Requests {
    by_api: std::sync::Arc<[OfApi]>,
    errors: Family<[(&'static str, String); 2], Counter>,
}

/// What is counted of one API.
#[derive(Debug)]
struct OfApi {
    api: ApiKey,
    queue: Histogram,
    total: Histogram,
}

/// One request, from when its header was read.
pub struct Timer {
    requests: Requests,
    api: ApiKey,
    received: Instant,
}

impl Default for Requests {
    fn default() -> Self {
        let of_api =
            |api: &ApiKey| OfApi { api: *api, queue: Histogram::new(&TIME), total: Histogram::new(&TIME) };
        Self { by_api: ApiKey::ALL.iter().map(of_api).collect(), errors: Family::default() }
    }
}

impl Requests {
    pub fn received(&self, api: ApiKey) -> Timer {
        Timer { requests: self.clone(), api, received: Instant::now() }
    }

    fn of(&self, api: ApiKey) -> Option<&OfApi> {
        // In the order of the keys, as the table of APIs is.
        let index = self.by_api.binary_search_by_key(&api, |of_api| of_api.api).ok()?;
        self.by_api.get(index)
    }

    fn error(&self, api: ApiKey, error: ErrorCode) {
        self.errors.get_or_create(&[("api", format!("{api:?}")), ("error", error.to_string())]).inc();
    }
}

impl Timer {
    /// Work on it begins; until here it waited for the requests before it.
    pub fn begun(&self) {
        if let Some(of_api) = self.requests.of(self.api) {
            of_api.queue.observe_time(self.received.elapsed());
        }
    }

    /// The answer is ready. `None`: the client wanted none.
    pub fn answered(self, response: Option<&Response>) {
        if let Some(of_api) = self.requests.of(self.api) {
            of_api.total.observe_time(self.received.elapsed());
        }
        if let Some(response) = response {
            response.each_error(|error| self.requests.error(self.api, error));
        }
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        // An API that nobody uses would be seventy lines of zeros.
        let used = || self.by_api.iter().filter(|of_api| of_api.total.count() > 0);
        if used().next().is_none() {
            return Ok(());
        }
        let help = "Requests answered.";
        let mut family = encoder.encode_descriptor("requests", help, None, MetricType::Counter)?;
        for of_api in used() {
            let labels = [("api", format!("{:?}", of_api.api))];
            ConstCounter::new(of_api.total.count()).encode(family.encode_family(&labels)?)?;
        }
        let queue =
            "From when a request was taken in to when work on it begins; it waits for those before it.";
        histograms(&mut encoder, "request_queue", queue, used().map(|of_api| (of_api.api, &of_api.queue)))?;
        let total = "From when a request was taken in to when its answer is made.";
        histograms(
            &mut encoder,
            "request_duration",
            total,
            used().map(|of_api| (of_api.api, &of_api.total)),
        )?;
        if self.errors.is_empty() {
            return Ok(());
        }
        let help = "Errors in answers, one for each topic, partition or group that has it.";
        let family = encoder.encode_descriptor("request_errors", help, None, MetricType::Counter)?;
        self.errors.encode(family)
    }
}

fn histograms<'a>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    histograms: impl Iterator<Item = (ApiKey, &'a Histogram)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for (api, histogram) in histograms {
        histogram.encode(family.encode_family(&[("api", format!("{api:?}"))])?)?;
    }
    Ok(())
}
