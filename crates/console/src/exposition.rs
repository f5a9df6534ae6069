//! Metrics as text, in the format of OpenMetrics.

use std::fmt;

use broker::metrics::{METRICS, Metric, MetricKind, MetricSamples, Metrics};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// The media type of [`encode`]'s result.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The current metrics of a broker. May wait for a disk.
pub fn encode(metrics: &Metrics) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(SampleCollector(metrics.read())));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string takes all");
    text
}

#[derive(Debug)]
struct SampleCollector(Vec<MetricSamples>);

impl Collector for SampleCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for MetricSamples { index, samples } in &self.0 {
            let metric = &METRICS[*index];
            let unit = metric.unit.map(|unit| match unit {
                "bytes" => Unit::Bytes,
                "seconds" => Unit::Seconds,
                other => Unit::Other(other.to_owned()),
            });
            let kind = match metric.kind {
                MetricKind::Counter => MetricType::Counter,
                MetricKind::Gauge => MetricType::Gauge,
            };
            // The encoder adds the full stop.
            let help = metric.help.trim_end_matches('.');
            let mut family = encoder.encode_descriptor(metric.name, help, unit.as_ref(), kind)?;
            for sample in samples {
                let labels: Vec<(&str, &str)> =
                    metric.labels.iter().copied().zip(sample.labels.iter().map(String::as_str)).collect();
                if labels.is_empty() {
                    encode_value(&mut family, metric, sample.value)?;
                } else {
                    encode_value(&mut family.encode_family(&labels)?, metric, sample.value)?;
                }
            }
        }
        Ok(())
    }
}

fn encode_value(encoder: &mut MetricEncoder<'_>, metric: &Metric, value: f64) -> Result<(), fmt::Error> {
    match metric.kind {
        MetricKind::Counter => encoder.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        MetricKind::Gauge => encoder.encode_gauge(&value),
    }
}
