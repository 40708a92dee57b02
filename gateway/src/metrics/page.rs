//! The line's metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use shared_format::gateway::{ALARMS, Camera, Counters, HELD, STAGES, StageLatency};

use super::text::Page;
use crate::line::{Hub, LineState};

/// Returns the page of all metrics.
#[must_use]
pub fn page(hub: &Hub) -> String {
    let mut page = Page::default();
    line(&mut page, &hub.line());
    gateway(&mut page, hub);
    page.finish()
}

fn line(page: &mut Page, line: &LineState) {
    page.gauge(
        "nominal_line_connected",
        "Whether the line is connected to the gateway.",
        u8::from(line.connected),
    );
    if let Some(hello) = &line.hello {
        let labels =
            [("line", hello.line.as_str()), ("version", &hello.version), ("product", line.product())];
        page.info(
            "nominal_line_info",
            "The line's name and version, and the product that is inspected.",
            &labels,
        );
        page.gauge("nominal_run", "Number of the line's run: how often it was started.", hello.run);
    }
    if let Some(status) = &line.status {
        let is = |on: bool| u8::from(on);
        page.gauge("nominal_uptime_seconds", "Time since the line was started.", status.uptime_s);
        page.gauge(
            "nominal_held",
            "Whether the line is held in its safe state.",
            is(status.alarms & HELD != 0),
        );
        let alarms = ALARMS.into_iter().enumerate().map(|(bit, name)| (name, status.alarms >> bit & 1));
        page.gauges("nominal_alarm", "Whether an alarm is active.", "alarm", alarms);
        page.gauge(
            "nominal_camera_live",
            "Whether the camera's frames can be judged.",
            is(status.camera == Camera::Live),
        );
        page.gauge("nominal_parts_under_way", "Parts between trigger and gate.", status.under_way);
        page.gauge("nominal_problems", "Number of current problems.", status.problems);
        if status.memory_kib > 0 {
            let bytes = u64::from(status.memory_kib) << 10;
            page.gauge("nominal_memory_bytes", "Memory that the line's program holds.", bytes);
        }
        counters(page, &status.counters);
    }
    page.counter(
        "nominal_reports_lost_total",
        "Reports on parts that did not reach the gateway.",
        line.reports_lost,
    );
    for (name, help, histogram) in [
        (
            "nominal_capture_to_release_seconds",
            "Time from the capture of the deciding frame to the part's release.",
            &line.capture_to_release,
        ),
        (
            "nominal_trigger_to_release_seconds",
            "Time from the trigger to the part's release.",
            &line.trigger_to_release,
        ),
        ("nominal_gate_lateness_seconds", "How late parts were released.", &line.lateness),
    ] {
        page.histogram(name, help, histogram);
    }
    stages(page, line);
    if let Some(part) = line.recent.front() {
        let telegram = &part.telegram;
        if let (Some(score), Some(threshold)) = (telegram.score, telegram.threshold) {
            page.gauge("nominal_last_score", "The last part's score.", score);
            page.gauge("nominal_last_threshold", "The threshold that it was compared with.", threshold);
        }
    }
}

fn counters(page: &mut Page, of: &Counters) {
    page.counter("nominal_parts_triggered_total", "Parts seen by the trigger.", of.triggered);
    let dispositions = [("pass", of.passed), ("reject", of.rejected)];
    page.counters(
        "nominal_parts_total",
        "Parts that have passed the gate, by where they went.",
        "disposition",
        dispositions,
    );
    let reasons = [
        ("reject_verdict", of.reject_verdicts),
        ("fault", of.faults),
        ("missing", of.missing),
        ("overflow", of.overflowed),
        ("held", of.held),
        ("challenge", of.challenged),
        ("swept", of.swept),
        ("missed", of.missed),
        ("trigger_lost", of.triggers_lost),
        ("tracking_lost", of.tracking_lost),
    ];
    page.counters(
        "nominal_parts_by_reason_total",
        "Parts that a verdict to pass did not decide, by reason.",
        "reason",
        reasons,
    );
    let incidents = [
        ("abandoned", of.abandoned),
        ("challenge_missed", of.challenges_missed),
        ("late_verdict", of.late_verdicts),
        ("stray_verdict", of.stray_verdicts),
        ("unconfirmed", of.unconfirmed),
        ("unexpected_fall", of.unexpected_falls),
        ("stop", of.stops),
        ("camera_reopened", of.camera_reopened),
    ];
    page.counters("nominal_incidents_total", "What went wrong, by kind.", "kind", incidents);
    let frames = [
        ("captured", of.frames_captured),
        ("dropped", of.frames_dropped),
        ("lost", of.frames_lost),
        ("stale", of.frames_stale),
    ];
    page.counters("nominal_frames_total", "Frames by what became of them.", "state", frames);
    page.counter(
        "nominal_reports_dropped_total",
        "Reports that an output did not take in time.",
        of.reports_dropped,
    );
    page.counter("nominal_records_written_total", "Records written to disk.", of.records_written);
}

/// Percentiles are gauges, not a summary: they are over the last minutes, and there is no sum.
fn stages(page: &mut Page, line: &LineState) {
    let timed = || {
        let stages = STAGES.into_iter().zip(&line.latencies);
        stages.filter_map(|(stage, latency)| Some((stage, latency.as_ref()?)))
    };
    if timed().next().is_none() {
        return;
    }
    let seconds = |us: u32| f64::from(us) / 1e6;
    let mut add = |name, help, us: fn(&StageLatency) -> u32| {
        page.gauges(name, help, "stage", timed().map(|(stage, latency)| (stage, seconds(us(latency)))));
    };
    add("nominal_stage_median_seconds", "Median time of a stage over the last minutes.", |of| of.p50_us);
    add("nominal_stage_p99_seconds", "99th percentile of a stage's time over the last minutes.", |of| {
        of.p99_us
    });
    add("nominal_stage_max_seconds", "Longest time of a stage over the last minutes.", |of| of.max_us);
}

fn gateway(page: &mut Page, hub: &Hub) {
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let modbus = hub.modbus();
    page.gauge("nominal_gateway_modbus_clients", "Connected Modbus clients.", of(&modbus.clients));
    let connections = [("accepted", of(&modbus.connections)), ("turned_away", of(&modbus.turned_away))];
    page.counters(
        "nominal_gateway_modbus_connections_total",
        "Connections of Modbus clients.",
        "result",
        connections,
    );
    page.counter("nominal_gateway_modbus_requests_total", "Modbus requests.", of(&modbus.requests));
    page.counter(
        "nominal_gateway_modbus_exceptions_total",
        "Modbus requests answered with an exception.",
        of(&modbus.exceptions),
    );
    page.counter(
        "nominal_gateway_modbus_garbage_total",
        "Connections that sent something other than Modbus.",
        of(&modbus.garbage),
    );
    let mqtt = hub.mqtt();
    page.gauge(
        "nominal_gateway_mqtt_connected",
        "Whether the MQTT broker is connected.",
        of(&mqtt.connected),
    );
    page.counter(
        "nominal_gateway_mqtt_connections_total",
        "Connections to the MQTT broker.",
        of(&mqtt.connections),
    );
    page.counter(
        "nominal_gateway_mqtt_published_total",
        "Messages that the MQTT broker has confirmed.",
        of(&mqtt.published),
    );
    page.counter(
        "nominal_gateway_mqtt_dropped_total",
        "Messages dropped because the broker was away for too long.",
        of(&mqtt.dropped),
    );
    page.gauge("nominal_gateway_mqtt_waiting", "Messages that wait for the MQTT broker.", of(&mqtt.waiting));
    page.gauge(
        "nominal_gateway_mqtt_waiting_bytes",
        "Size of the messages that wait for the MQTT broker.",
        of(&mqtt.waiting_bytes),
    );
    let webhook = hub.webhook();
    page.counter("nominal_gateway_webhook_delivered_total", "Alarms posted.", of(&webhook.delivered));
    page.counter(
        "nominal_gateway_webhook_failures_total",
        "Failed attempts to post an alarm.",
        of(&webhook.failures),
    );
    page.counter(
        "nominal_gateway_webhook_dropped_total",
        "Alarms that could not be posted.",
        of(&webhook.dropped),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::{hello, part, status};
    use shared_format::gateway::LineMessage;

    #[test]
    fn the_page_holds_the_line_and_has_no_metric_twice() {
        let (hub, _queue) = Hub::new();
        let before = page(&hub);
        assert!(before.contains("nominal_line_connected 0\n") && !before.contains("nominal_parts_total"));
        hub.apply(hello(0));
        hub.apply(LineMessage::Status(status(0b10, 1, 0)));
        hub.apply(LineMessage::Part(part(5)));
        hub.apply(LineMessage::Latency(StageLatency {
            stage: 4,
            count: 1,
            p50_us: 31_000,
            p99_us: 32_000,
            max_us: 33_000,
        }));
        let text = page(&hub);
        for line in [
            "nominal_parts_total{disposition=\"pass\"} 69990",
            "nominal_parts_total{disposition=\"reject\"} 9",
            "nominal_alarm{alarm=\"blind\"} 1",
            "nominal_held 1",
            "nominal_memory_bytes 2097152",
            "nominal_capture_to_release_seconds_bucket{le=\"0.05\"} 1",
            "nominal_stage_p99_seconds{stage=\"infer\"} 0.032",
            "nominal_last_score 0.875",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        let mut samples: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .collect();
        let all = samples.len();
        samples.sort_unstable();
        samples.dedup_by_key(|(name, _)| *name);
        assert_eq!(samples.len(), all);
    }
}
