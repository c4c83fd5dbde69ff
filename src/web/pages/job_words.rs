//! A job in words: what it is, how far, what came of it.

use serde_json::Value;

use crate::library::{JobView, Phase};
use crate::web::format;
use crate::web::lang::Lang;

pub fn headline(view: &JobView, l: Lang) -> String {
    let what = match view.kind.as_str() {
        "upload" => l.job_upload(),
        "pull" => l.job_pull(),
        "rebuild" => l.job_rebuild(),
        "switch" => l.job_switch(),
        "switch_captions" => l.job_switch_captions(),
        "compact" => l.job_compact(),
        _ => l.job_index(),
    };
    match &view.collection {
        Some(collection) => l.job_into(what, collection),
        None => what.to_owned(),
    }
}

pub fn share(view: &JobView) -> Option<f64> {
    let p = &view.progress;
    (p.total > 0).then(|| (p.done as f64 / p.total as f64).min(1.0))
}

/// "340 of 1,200 · 12/s · 1 min left · 3 rejected", or what it does before there are figures.
pub fn progress(view: &JobView, l: Lang) -> String {
    let p = &view.progress;
    let bytes = p.phase == Phase::GettingEncoder;
    let count = |n| if bytes { format::size(n) } else { format::number(n) };
    let mut parts = Vec::new();
    match p.phase {
        Phase::Waiting => parts.push(l.phase_waiting().to_owned()),
        Phase::GettingEncoder => parts.push(l.phase_encoder().to_owned()),
        Phase::LoadingEncoder => parts.push(l.phase_loading().to_owned()),
        Phase::Listing => parts.push(l.phase_listing().to_owned()),
        Phase::Compacting => parts.push(l.phase_compacting().to_owned()),
        Phase::BuildingIndex => parts.push(l.phase_building().to_owned()),
        Phase::Finished => parts.push(l.phase_finished().to_owned()),
        Phase::Indexing => {}
    }
    match (p.done, p.total) {
        (0, 0) if p.phase == Phase::Indexing => parts.push(l.phase_indexing().to_owned()),
        (0, 0) => {}
        (done, 0) => parts.push(count(done)),
        (done, total) => parts.push(l.of(count(done), count(total))),
    }
    if p.per_second > 0.0 && p.done > 0 {
        let rate = if bytes { format::size(p.per_second as u64) } else { format::rate(p.per_second) };
        parts.push(l.per_second(rate));
    }
    if let Some(seconds) = p.seconds_left.filter(|_| p.done > 0) {
        parts.push(l.left(format::duration(l, seconds)));
    }
    if p.rejected > 0 {
        parts.push(l.rejected_n(format::number(p.rejected)));
    }
    parts.join(" · ")
}

/// "12 new · 3 unchanged"; what is zero is left out.
pub fn outcome(report: &Value, l: Lang) -> String {
    let count = |name: &str| report[name].as_u64().unwrap_or_default();
    if let Some(swapped) = report["swapped"].as_bool() {
        let encoder = report["encoder"].as_str().unwrap_or_default();
        let waits = report["missing"].as_array().map_or(0, Vec::len);
        return match (swapped, waits) {
            (true, _) => l.report_switched(encoder, format::number(count("encoded"))),
            (false, 0) => String::new(),
            (false, n) => l.report_switch_waits(format::number(n as u64)),
        };
    }
    let rejected = report["rejected"].as_array().map_or(0, |list| list.len() as u64);
    let counts = [
        (count("indexed"), l.report_indexed(format::number(count("indexed")))),
        (count("replaced"), l.report_replaced(format::number(count("replaced")))),
        (count("unchanged"), l.report_unchanged(format::number(count("unchanged")))),
        (count("removed"), l.report_removed(format::number(count("removed")))),
        (count("vanished"), l.report_vanished(format::number(count("vanished")))),
        (count("captioned"), l.report_captioned(format::number(count("captioned")))),
        (count("skipped"), skipped(report, l)),
        (rejected, l.rejected_n(format::number(rejected))),
    ];
    let some: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
    match (some.is_empty(), report.get("indexed")) {
        (true, Some(_)) => l.nothing_new().to_owned(),
        _ => some.join(" · "),
    }
}

/// "7 skipped (HEIC/AVIF 2, RAW 1)": what is known of files that are no pictures here.
fn skipped(report: &Value, l: Lang) -> String {
    let n = format::number(report["skipped"].as_u64().unwrap_or_default());
    let Some(kinds) = report["skipped_kinds"].as_object().filter(|kinds| !kinds.is_empty()) else {
        return l.report_skipped(n);
    };
    let kind = |(kind, n): (&String, &Value)| {
        let name = match kind.as_str() {
            "heic" => "HEIC/AVIF",
            "raw" => "RAW",
            _ => l.kind_video(),
        };
        format!("{name} {}", format::number(n.as_u64().unwrap_or_default()))
    };
    l.report_skipped_kinds(n, kinds.iter().map(kind).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    use crate::library::Progress;
    use crate::store::JobState;

    fn job(progress: Progress) -> JobView {
        JobView {
            id: 1,
            kind: "index".to_owned(),
            collection: Some("photos".parse().unwrap()),
            title: "/tmp".to_owned(),
            state: JobState::Running,
            progress,
            report: None,
            error: None,
            rejects: 0,
            created: 0,
            started: None,
            ended: None,
        }
    }

    #[test]
    fn progress_is_one_line_of_what_is_known() {
        let mut p = Progress { phase: Phase::Indexing, ..Progress::default() };
        assert_eq!(progress(&job(p.clone()), Lang::En), "indexing");
        p = Progress { done: 340, total: 1200, per_second: 12.3, seconds_left: Some(70.0), rejected: 3, ..p };
        let line = "340 of 1,200 · 12/s · 1 min 10 s left · 3 rejected";
        assert_eq!(progress(&job(p.clone()), Lang::En), line);
        assert_eq!(progress(&job(p), Lang::Zh), "340 / 1,200 · 每秒 12 · 剩余 1 分 10 秒 · 3 个未收录");
        let pull = Progress {
            phase: Phase::GettingEncoder,
            done: 5_000_000,
            total: 90_000_000,
            per_second: 2e6,
            ..Progress::default()
        };
        assert_eq!(progress(&job(pull), Lang::En), "getting the encoder · 5.0 MB of 90 MB · 2.0 MB/s");
        assert_eq!(headline(&job(Progress::default()), Lang::Zh), "索引：photos");
    }

    #[test]
    fn an_outcome_leaves_out_what_is_zero() {
        let report = json!({"indexed": 0, "unchanged": 12, "skipped": 1, "rejected": [{}]});
        assert_eq!(outcome(&report, Lang::En), "12 unchanged · 1 skipped · 1 rejected");
        let kinds = json!({"indexed": 2, "skipped": 7, "skipped_kinds": {"heic": 2, "raw": 1, "video": 1}});
        assert_eq!(outcome(&kinds, Lang::En), "2 new · 7 skipped (HEIC/AVIF 2, RAW 1, video 1)");
        assert_eq!(outcome(&kinds, Lang::Zh), "新增 2 · 略过 7（HEIC/AVIF 2, RAW 1, 视频 1）");
        let none = json!({"indexed": 0, "unchanged": 0, "rejected": []});
        assert_eq!(outcome(&none, Lang::En), "nothing new");
        assert_eq!(outcome(&Value::Null, Lang::En), "");
    }
}
