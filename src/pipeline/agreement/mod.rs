//! How far the judges of a run agree, criterion by criterion and judge by judge, and which of them is the lenient one.

mod measures;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;
use serde_json::{Map, Value};

pub use measures::{ANSWERS, Coincidences, Confusion};

use crate::pipeline::jury;
use crate::pipeline::score::NA_BY_RULE;

/// From so many answers on in which a judge is milder than another one ...
const MILDER_AT_LEAST: u64 = 5;
/// ... and this many times those in which it is stricter, it is called lenient.
const MILDER_THAN_STRICTER: u64 = 2;

/// What a run's records tell of its judges. Shares and scores are from 0 to 1.
#[derive(Debug, Serialize)]
pub struct Agreement {
    /// Records with the verdicts of two judges or more.
    pub records: u64,
    /// Each judge, in the order of the role.
    pub judges: Vec<JudgeTally>,
    /// Each criterion, in the order of the rubric.
    pub criteria: Vec<CriterionAgreement>,
    /// Each pair of judges, over all criteria that are not decided by code.
    pub pairs: Vec<PairAgreement>,
    /// The judge that lets pass what others do not: milder than another judge in at least 5 answers, and more than
    /// twice as often as it is stricter; of several the one with the most.
    pub lenient: Option<String>,
}

/// How a judge judges.
#[derive(Debug, Serialize)]
pub struct JudgeTally {
    /// Its name; `name #2` for the second judge of that name.
    pub judge: String,
    /// Records that it judged.
    pub records: u64,
    /// The share of them that it lets pass.
    pub pass_rate: f64,
    /// The mean of its scores.
    pub mean_score: f64,
    /// Answers that are not NO, where another judge says NO.
    pub milder: u64,
    /// Answers that are NO, where another judge does not say NO.
    pub stricter: u64,
}

/// How far the judges agree on a criterion.
#[derive(Debug, Serialize)]
pub struct CriterionAgreement {
    /// The criterion's id.
    pub id: String,
    /// Records in which at least two judges answered it; those are left out in which it is NA by rule.
    pub records: u64,
    /// The share of pairs of judges that agree.
    pub percent: Option<f64>,
    /// Cohen's kappa, where there are two judges.
    pub kappa: Option<f64>,
    /// Krippendorff's alpha.
    pub alpha: Option<f64>,
    /// Whether it is code that answers: it is not among the criteria that the records name as `asked`, or, of records
    /// that name none, all judges gave the very same reasoning each time.
    pub by_code: bool,
}

/// How far two judges agree.
#[derive(Debug, Serialize)]
pub struct PairAgreement {
    /// One of them.
    pub first: String,
    /// The other.
    pub second: String,
    /// Questions that both answered.
    pub answers: u64,
    /// The share that they answered alike.
    pub percent: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
}

/// Takes records one after another, and keeps only counts.
#[derive(Debug, Default)]
pub struct Tally {
    records: u64,
    judges: IndexMap<String, JudgeCounts>,
    criteria: IndexMap<String, CriterionCounts>,
}

#[derive(Debug, Default)]
struct JudgeCounts {
    records: u64,
    passed: u64,
    score: f64,
    milder: u64,
    stricter: u64,
}

#[derive(Debug, Default)]
struct CriterionCounts {
    all: Coincidences,
    /// By the places of two judges, the earlier one first.
    pairs: IndexMap<(usize, usize), Confusion>,
    /// Records in which judges answered it: it is said to be asked, or else their reasonings differ.
    reasoned: u64,
}

/// One judge's answer to one criterion.
struct Said<'a> {
    judge: usize,
    answer: &'a str,
    reasoning: &'a str,
}

impl Tally {
    /// A tally that lists these criteria in this order; others follow as they come.
    pub fn of<'a>(criteria: impl IntoIterator<Item = &'a str>) -> Tally {
        let criteria = criteria.into_iter().map(|id| (id.to_string(), CriterionCounts::default()));
        Tally { criteria: criteria.collect(), ..Tally::default() }
    }

    /// Adds a record that [`strictest`](crate::pipeline::jury::strictest) made. One without the verdicts of two judges tells
    /// nothing of agreement.
    pub fn add(&mut self, record: &Value) {
        let verdicts =
            record.get("verdicts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if verdicts.len() < 2 {
            return;
        }
        self.records += 1;
        let judges = self.judges_of(verdicts);
        let asked = record.get("asked").and_then(Value::as_array);
        let ids: IndexSet<&String> = verdicts.iter().flat_map(answers).collect();
        for id in ids {
            let is_asked = asked.map(|asked| asked.iter().any(|known| known == id));
            self.add_criterion(id, &said(id, verdicts, &judges), is_asked);
        }
    }

    /// The judges' places; their passes and scores are counted.
    fn judges_of(&mut self, verdicts: &[Value]) -> Vec<usize> {
        let name =
            |verdict: &'_ Value| verdict.get("judge").and_then(Value::as_str).unwrap_or("judge").to_string();
        let names: Vec<String> = verdicts.iter().map(name).collect();
        let mut places = Vec::new();
        for (name, verdict) in jury::distinct(names.iter().map(String::as_str)).into_iter().zip(verdicts) {
            let entry = self.judges.entry(name);
            places.push(entry.index());
            let counts = entry.or_default();
            counts.records += 1;
            counts.passed += u64::from(verdict.get("pass") == Some(&Value::Bool(true)));
            counts.score += verdict.get("score").and_then(Value::as_f64).unwrap_or(0.0);
        }
        places
    }

    fn add_criterion(&mut self, id: &str, said: &[Said], is_asked: Option<bool>) {
        if said.len() < 2 {
            return;
        }
        let counts = self.criteria.entry(id.into()).or_default();
        counts.all.add(said.iter().map(|said| said.answer));
        let same = |pair: &[Said]| pair[0].reasoning == pair[1].reasoning && !pair[0].reasoning.is_empty();
        counts.reasoned += u64::from(is_asked.unwrap_or_else(|| !said.windows(2).all(same)));
        for (i, first) in said.iter().enumerate() {
            for second in &said[i + 1..] {
                let (a, b) = if first.judge <= second.judge { (first, second) } else { (second, first) };
                counts.pairs.entry((a.judge, b.judge)).or_default().add(a.answer, b.answer);
            }
        }
        self.compare(said);
    }

    /// Counts who is milder and who is stricter than another.
    fn compare(&mut self, said: &[Said]) {
        let noes = said.iter().filter(|said| said.answer == "NO").count();
        if noes == 0 || noes == said.len() {
            return;
        }
        for said in said {
            if let Some((_, counts)) = self.judges.get_index_mut(said.judge) {
                let is_no = said.answer == "NO";
                counts.stricter += u64::from(is_no);
                counts.milder += u64::from(!is_no);
            }
        }
    }

    /// What the records tell.
    pub fn agreement(&self) -> Agreement {
        let judges: Vec<_> = self.judges.iter().map(|(name, counts)| counts.tally(name)).collect();
        Agreement {
            records: self.records,
            criteria: self
                .criteria
                .iter()
                .map(|(id, counts)| counts.agreement(id, self.judges.len()))
                .collect(),
            pairs: self.pairs(),
            lenient: lenient(&judges),
            judges,
        }
    }

    fn pairs(&self) -> Vec<PairAgreement> {
        let mut sums: IndexMap<(usize, usize), Confusion> = IndexMap::new();
        for counts in self.criteria.values().filter(|counts| !counts.by_code()) {
            counts.pairs.iter().for_each(|(pair, confusion)| sums.entry(*pair).or_default().merge(confusion));
        }
        sums.sort_keys();
        let name =
            |place: usize| self.judges.get_index(place).map(|(name, _)| name.clone()).unwrap_or_default();
        let pair = |((first, second), confusion): (&(usize, usize), &Confusion)| PairAgreement {
            first: name(*first),
            second: name(*second),
            answers: confusion.count(),
            percent: confusion.percent(),
            kappa: confusion.kappa(),
        };
        sums.iter().map(pair).collect()
    }
}

impl JudgeCounts {
    fn tally(&self, name: &str) -> JudgeTally {
        let records = self.records.max(1) as f64;
        JudgeTally {
            judge: name.into(),
            records: self.records,
            pass_rate: self.passed as f64 / records,
            mean_score: self.score / records,
            milder: self.milder,
            stricter: self.stricter,
        }
    }
}

impl CriterionCounts {
    fn by_code(&self) -> bool {
        self.all.questions() > 0 && self.reasoned == 0
    }

    fn agreement(&self, id: &str, judges: usize) -> CriterionAgreement {
        let of_two = self.pairs.first().filter(|_| judges == 2);
        CriterionAgreement {
            id: id.into(),
            records: self.all.questions(),
            percent: self.all.percent(),
            kappa: of_two.and_then(|(_, confusion)| confusion.kappa()),
            alpha: self.all.alpha(),
            by_code: self.by_code(),
        }
    }
}

/// What each judge said of a criterion, errors and rules aside.
fn said<'a>(id: &str, verdicts: &'a [Value], judges: &[usize]) -> Vec<Said<'a>> {
    let one = |(verdict, judge): (&'a Value, &usize)| {
        let text = |field: &str| verdict.get(field).and_then(|map| map.get(id)).and_then(Value::as_str);
        let text = |field: &str| text(field).unwrap_or_default();
        let said = Said { judge: *judge, answer: text("answers"), reasoning: text("reasonings") };
        (ANSWERS.contains(&said.answer) && !said.reasoning.starts_with(NA_BY_RULE)).then_some(said)
    };
    verdicts.iter().zip(judges).filter_map(one).collect()
}

fn answers(verdict: &Value) -> impl Iterator<Item = &String> {
    verdict.get("answers").and_then(Value::as_object).into_iter().flat_map(Map::keys)
}

fn lenient(judges: &[JudgeTally]) -> Option<String> {
    let is_lenient = |judge: &&JudgeTally| {
        judge.milder >= MILDER_AT_LEAST && judge.milder > MILDER_THAN_STRICTER * judge.stricter
    };
    let most = judges.iter().filter(is_lenient).max_by_key(|judge| judge.milder)?;
    Some(most.judge.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A judge's record: answers to C1 and C2, with reasons of its own; C3 is code's.
    fn verdict(judge: &str, c1: &str, c2: &str) -> Value {
        json!({
            "judge": judge, "pass": c1 == "YES", "score": if c1 == "YES" { 1.0 } else { 0.5 },
            "answers": {"C2": c2, "C1": c1, "C3": "YES"},
            "reasonings": {"C1": format!("{judge} thinks"), "C2": format!("{judge} says"), "C3": "12 words"},
        })
    }

    fn record(first: (&str, &str), second: (&str, &str)) -> Value {
        json!({"verdicts": [verdict("mild", first.0, first.1), verdict("hard", second.0, second.1)]})
    }

    fn tally(records: &[Value]) -> Agreement {
        let mut tally = Tally::of(["C1"]);
        records.iter().for_each(|record| tally.add(record));
        tally.agreement()
    }

    #[test]
    fn criteria_and_pairs_are_counted() {
        let agreement = tally(&[
            record(("YES", "YES"), ("YES", "NO")),
            record(("NO", "NA"), ("NO", "NA")),
            json!({"verdicts": [verdict("mild", "YES", "YES")]}),
            json!({"id": "too short"}),
        ]);
        assert_eq!(agreement.records, 2);
        let ids: Vec<&str> = agreement.criteria.iter().map(|criterion| criterion.id.as_str()).collect();
        assert_eq!(ids, ["C1", "C2", "C3"]);
        let [c1, c2, c3] = &agreement.criteria[..] else { panic!() };
        assert_eq!((c1.percent, c1.kappa, c1.alpha, c1.by_code), (Some(1.0), Some(1.0), Some(1.0), false));
        assert_eq!((c2.percent, c2.records), (Some(0.5), 2));
        assert_eq!((c3.percent, c3.kappa, c3.by_code), (Some(1.0), None, true));
        let [pair] = &agreement.pairs[..] else { panic!() };
        assert_eq!((pair.first.as_str(), pair.second.as_str(), pair.answers), ("mild", "hard", 4));
        assert_eq!(pair.percent, Some(0.75));
    }

    #[test]
    fn records_that_say_what_was_asked_are_believed() {
        let mut record = record(("YES", "YES"), ("YES", "YES"));
        record["asked"] = json!(["C1", "C3"]);
        let by_code = |agreement: Agreement| {
            agreement.criteria.iter().map(|criterion| criterion.by_code).collect::<Vec<_>>()
        };
        assert_eq!(by_code(tally(&[record])), [false, true, false]);
    }

    #[test]
    fn the_lenient_judge_is_named() {
        let differ = || record(("YES", "YES"), ("NO", "YES"));
        let four: Vec<Value> = (0..4).map(|_| differ()).collect();
        assert_eq!(tally(&four).lenient, None);
        let mut five: Vec<Value> = (0..5).map(|_| differ()).collect();
        let found = tally(&five);
        assert_eq!(found.lenient.as_deref(), Some("mild"));
        let [mild, hard] = &found.judges[..] else { panic!() };
        assert_eq!((mild.milder, mild.stricter, mild.pass_rate, mild.mean_score), (5, 0, 1.0, 1.0));
        assert_eq!((hard.milder, hard.stricter, hard.pass_rate, hard.mean_score), (0, 5, 0.0, 0.5));
        five.extend((0..3).map(|_| record(("NO", "YES"), ("YES", "YES"))));
        assert_eq!(tally(&five).lenient, None);
    }

    #[test]
    fn no_answer_and_rules_are_left_out() {
        let mut ruled = record(("NA", "ERROR"), ("NA", "NO"));
        for judge in 0..2 {
            ruled["verdicts"][judge]["reasonings"]["C1"] = json!(format!("{NA_BY_RULE}: asked from 3 on"));
        }
        let agreement = tally(&[ruled]);
        let records: Vec<u64> = agreement.criteria.iter().map(|criterion| criterion.records).collect();
        assert_eq!(records, [0, 1]);
        assert_eq!(agreement.criteria[0].percent, None);
    }

    #[test]
    fn two_judges_of_one_name_are_two() {
        let twice = json!({"verdicts": [verdict("gpt", "YES", "YES"), verdict("gpt", "NO", "YES")]});
        let names: Vec<String> = tally(&[twice]).judges.into_iter().map(|judge| judge.judge).collect();
        assert_eq!(names, ["gpt", "gpt #2"]);
    }
}
