//! The personas that were asked for, and those that were drawn.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Error, Kind, Result};
use crate::report::data::COVERAGE;

/// The personas.
#[derive(Debug, Serialize)]
pub struct Coverage {
    /// How many were drawn.
    pub personas: usize,
    /// How: `quota` or `independent`.
    pub sampling: String,
    /// What they differ in.
    pub dimensions: Vec<Dimension>,
    /// The widest gap between a share that was asked for and the one that was drawn.
    pub widest: f64,
}

/// What personas differ in.
#[derive(Debug, Serialize)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Its values, the one that was asked for most first.
    pub values: Vec<Drawn>,
}

/// A value of a dimension.
#[derive(Debug, Serialize)]
pub struct Drawn {
    /// The value.
    pub value: String,
    /// The share that was asked for.
    pub asked: f64,
    /// The share that was drawn.
    pub share: f64,
    /// How many were drawn.
    pub drawn: usize,
}

#[derive(Deserialize)]
struct File {
    personas: usize,
    #[serde(default)]
    sampling: String,
    dimensions: BTreeMap<String, BTreeMap<String, Cell>>,
}

#[derive(Deserialize)]
struct Cell {
    asked: f64,
    drawn: usize,
}

/// The figures of the file.
pub fn of(value: Value) -> Result<Coverage> {
    let wrong = |error| Error::new(Kind::Data, format!("{COVERAGE} is not a coverage: {error}"));
    let file: File = serde_json::from_value(value).map_err(wrong)?;
    let personas = file.personas.max(1) as f64;
    let drawn = |(value, cell): (String, Cell)| Drawn {
        value,
        asked: cell.asked,
        share: cell.drawn as f64 / personas,
        drawn: cell.drawn,
    };
    let dimension = |(name, cells): (String, BTreeMap<String, Cell>)| {
        let mut values: Vec<Drawn> = cells.into_iter().map(drawn).collect();
        values.sort_by(|a, b| b.asked.total_cmp(&a.asked));
        Dimension { name, values }
    };
    let dimensions: Vec<Dimension> = file.dimensions.into_iter().map(dimension).collect();
    let values = dimensions.iter().flat_map(|dimension| &dimension.values);
    let widest = values.map(|value| (value.share - value.asked).abs()).fold(0.0, f64::max);
    Ok(Coverage { personas: file.personas, sampling: file.sampling, dimensions, widest })
}
