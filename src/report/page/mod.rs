//! The page: one file of HTML with all figures and all transcripts, which fetches nothing and runs no script but its
//! own. Transcripts stand in it as data, and are put on the page as text.

mod charts;
mod embed;
pub mod facets;
mod index;
mod template;

use std::io::Write;
use std::path::Path;

use base64::Engine;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::data::Data;
use super::figures::Figures;
use crate::base::{Error, Kind, Result};
use crate::work::{World, in_order};

/// How it looks.
const CSS: &str = include_str!("style.css");
/// The theme that was chosen.
const THEME_JS: &str = include_str!("theme.js");
/// What it does.
const PAGE_JS: &str = include_str!("page.js");

/// Writes the page.
pub fn write(world: &World, figures: &Figures, data: &Data, out: &mut (dyn Write + Send)) -> Result<()> {
    let head = template::render(figures, &head(world))?;
    put(out, &head)?;
    put(out, &block("figures-data", &serde_json::to_value(figures).unwrap_or_default()))?;
    let ids = index::ids(data);
    put(out, &block("index", &index::index(data, figures, &ids)))?;
    // The list works before the transcripts have been read.
    put(out, &format!("<script>{PAGE_JS}</script>\n"))?;
    let slices = embed::slices(data);
    let make = |(place, id): (usize, &String)| {
        world.stop.check()?;
        Ok(block(&format!("t{place}"), &embed::transcript(world, data, &slices, id)?))
    };
    in_order::run(&world.threads, in_order::cores(), ids.iter().enumerate(), make, |text| put(out, &text))?;
    put(out, "</body>\n</html>\n")
}

fn put(out: &mut (dyn Write + Send), text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(|e| Error::io(Kind::Disk, "write", "the report", &e))
}

/// What the template is told beside the figures.
fn head(world: &World) -> template::Head {
    let root = world.project.root();
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    let name = root.file_name().map(Path::new).map(|name| name.display().to_string());
    template::Head {
        name: name.unwrap_or_else(|| "project".into()),
        made_at: (world.clock)(),
        script_hashes: format!("'{}' '{}'", csp_hash(THEME_JS), csp_hash(PAGE_JS)),
        style_hash: csp_hash(CSS),
    }
}

/// By which a browser knows a script that may run.
fn csp_hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

/// Data in the page, which no browser takes for markup or a script: it has no `<`.
fn block(id: &str, value: &Value) -> String {
    let text = value
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("<script type=\"application/json\" id=\"{id}\">{text}</script>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_no_markup() {
        let text = "</script><script>alert(1)</script><!--\u{2028}";
        let block = block("t0", &serde_json::json!({"said": text}));
        let inside = block.strip_prefix("<script type=\"application/json\" id=\"t0\">").unwrap();
        let inside = inside.strip_suffix("</script>\n").unwrap();
        assert!(!inside.contains('<') && !inside.contains('\u{2028}'), "{inside}");
        let back: Value = serde_json::from_str(inside).unwrap();
        assert_eq!(back["said"], text);
    }

    /// A script that holds its own end would end there.
    #[test]
    fn scripts_and_styles_hold_no_end_of_themselves() {
        for text in [CSS, THEME_JS, PAGE_JS] {
            assert!(!text.to_lowercase().contains("</s") && !text.contains("<!--") && !text.contains('\r'));
        }
        assert_eq!(csp_hash("alert(1)"), "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=");
    }
}
