//! A page of metrics as Prometheus reads it, written at each scrape, so that nothing is left of
//! what is gone.
//!
//! Families of samples go in, text comes out.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder,
    prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

pub use prometheus_text::CONTENT_TYPE;

/// Who writes the page.
pub trait Scrape: fmt::Debug + Send + Sync + 'static {
    /// Writes all families.
    fn scrape(&self, page: &mut Page<'_>) -> fmt::Result;
}

/// The page as text of the type [`CONTENT_TYPE`].
pub fn text(scrape: impl Scrape) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(scrape)));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Collected<S>(S);

impl<S: Scrape> Collector for Collected<S> {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.scrape(&mut Page { encoder })
    }
}

/// Where families are written to.
#[derive(Debug)]
pub struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    /// A family of gauges; `help` without a full stop.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &str,
        write: impl FnOnce(&mut Family<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, write)
    }

    /// A family of counters. The encoder writes `_total` behind the name.
    pub fn counters(
        &mut self,
        name: &str,
        help: &str,
        write: impl FnOnce(&mut Family<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, write)
    }

    /// One histogram, of seconds if it is named so. Each bucket is its upper bound and how many
    /// are in it and in no lower one; the last is `f64::INFINITY`.
    pub fn histogram(
        &mut self,
        name: &str,
        help: &str,
        sum: f64,
        buckets: &[(f64, u64)],
    ) -> fmt::Result {
        let count = buckets.iter().map(|(_, count)| count).sum();
        self.family(name, help, MetricType::Histogram, |family| {
            family.0.encode_histogram::<[(&str, &str); 0]>(sum, count, buckets, None)
        })
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        write: impl FnOnce(&mut Family<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(&mut Family(self.encoder.encode_descriptor(name, help, None, kind)?))
    }
}

/// Samples of one name.
#[derive(Debug)]
pub struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    /// A gauge with labels.
    pub fn gauge(
        &mut self,
        labels: &impl EncodeLabelSet,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// The only gauge of its name.
    pub fn one_gauge(&mut self, value: f64) -> fmt::Result {
        self.0.encode_gauge(&value)
    }

    /// A counter with labels.
    pub fn counter(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_family(labels)?)
    }

    /// The only counter of its name.
    pub fn one_counter(&mut self, value: u64) -> fmt::Result {
        self.0.encode_counter::<[(&str, &str); 0], _, u64>(&value, None)
    }
}

/// For counts of things in memory, of which there are never so many that one would not be exact.
#[allow(clippy::cast_precision_loss, reason = "below 2^52")]
pub fn exact(number: usize) -> f64 {
    number as f64
}
