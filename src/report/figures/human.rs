//! What humans say of the verdicts: by transcript, and by criterion where they answered it themselves.

use serde::Serialize;

use crate::pipeline::human::agreement::HumanAgreement;
use crate::pipeline::human::{Review, Verdict};
use crate::report::data::Data;

/// Humans against judges.
#[derive(Debug, Serialize)]
pub struct Human {
    /// How far they agree, as `fthost review --agreement` tells it, too.
    #[serde(flatten)]
    pub agreement: HumanAgreement,
    /// Transcripts that are accepted.
    pub accepted: usize,
    /// The transcripts on which humans and judges differ.
    pub differ: Vec<String>,
}

/// The figures; none without a review.
pub fn of(data: &Data) -> Option<Human> {
    let reviews = data.human.sorted();
    let differ = reviews.iter().filter(|review| differs(data, review));
    let accepted = reviews.iter().filter(|review| review.verdict == Verdict::Accept).count();
    let differ = differ.map(|review| review.id.clone()).collect();
    (!reviews.is_empty()).then(|| Human { agreement: data.human_agreement.clone(), accepted, differ })
}

/// Whether the verdict on this very text is another one.
fn differs(data: &Data, review: &Review) -> bool {
    let latest = data.verdicts.latest.get(&review.id).filter(|latest| latest.is_judged());
    latest.is_some_and(|latest| {
        let same = latest.record.transcript_hash.as_deref().is_some_and(|hash| review.is_of_transcript(hash));
        same && latest.record.pass != (review.verdict == Verdict::Accept)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::record::Record;
    use crate::report::data::verdicts::Latest;

    #[test]
    fn what_humans_and_judges_differ_on_is_named() {
        let mut data = Data::default();
        assert!(of(&data).is_none());
        for (id, verdict, pass, hash) in [
            ("a", "accept", true, "h"),
            ("b", "reject", true, "h"),
            ("c", "accept", false, "h"),
            ("d", "reject", true, "another"),
        ] {
            let line = format!(r#"{{"id": "{id}", "verdict": "{verdict}", "transcript_hash": "{hash}"}}"#);
            data.human.insert(Review::parse(line.as_bytes()).unwrap());
            let transcript_hash = Some("h".to_string());
            let record = Record { id: id.into(), pass, complete: true, transcript_hash, ..Record::default() };
            data.verdicts.latest.insert(id.into(), Latest { record, reason: "failed" });
        }
        let human = of(&data).unwrap();
        assert_eq!((human.differ, human.accepted), (vec!["b".to_string(), "c".to_string()], 2));
    }
}
