//! Writes metrics in Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

use crate::line::Histogram;

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Adds a metric's head; its samples must follow.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0 += name;
        for (index, (label, value)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// Adds a gauge with one sample.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.gauges(name, help, "", [("", value)]);
    }

    /// Adds a gauge with one sample for each value of a label.
    pub(super) fn gauges<'l, V: Display>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'l str, V)>,
    ) {
        self.metric(name, "gauge", help, label, samples);
    }

    /// Adds a counter with one sample.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, "", [("", value)]);
    }

    /// Adds a counter with one sample for each value of a label.
    pub(super) fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'l str, u64)>,
    ) {
        self.metric(name, "counter", help, label, samples);
    }

    fn metric<'l, V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'l str, V)>,
    ) {
        self.head(name, kind, help);
        for (of, value) in samples {
            let labels = [(label, of)];
            self.sample(name, if label.is_empty() { &[] } else { &labels }, value);
        }
    }

    /// Adds a gauge that is 1, with information as labels.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) {
        self.head(name, "gauge", help);
        self.sample(name, labels, 1);
    }

    /// Adds a histogram.
    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (limit, count) in histogram.cumulative() {
            self.sample(&bucket, &[("le", &limit.to_string())], count);
        }
        self.sample(&bucket, &[("le", "+Inf")], histogram.count());
        self.sample(&format!("{name}_sum"), &[], histogram.sum());
        self.sample(&format!("{name}_count"), &[], histogram.count());
    }

    /// Returns the page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_that_of_the_specification() {
        let mut page = Page::default();
        page.counters("a_total", "Help.", "kind", [("x", 1), ("y\"\\\n", 2)]);
        page.gauge("b", "Help, too.", 0.5);
        page.info("c_info", "Names.", &[("d", "e"), ("f", "g")]);
        let expected = "# HELP a_total Help.\n# TYPE a_total counter\na_total{kind=\"x\"} 1\na_total{kind=\"y\\\"\\\\\\n\"} 2\n\
            # HELP b Help, too.\n# TYPE b gauge\nb 0.5\n# HELP c_info Names.\n# TYPE c_info gauge\nc_info{d=\"e\",f=\"g\"} 1\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn a_histogram_ends_with_all_times() {
        let mut histogram = Histogram::default();
        histogram.add(0.25);
        histogram.add(99.0);
        let mut page = Page::default();
        page.histogram("t_seconds", "Time.", &histogram);
        let text = page.finish();
        assert!(text.contains("t_seconds_bucket{le=\"0.5\"} 1\n"), "{text}");
        assert!(
            text.ends_with("t_seconds_bucket{le=\"+Inf\"} 2\nt_seconds_sum 99.25\nt_seconds_count 2\n"),
            "{text}"
        );
    }
}
