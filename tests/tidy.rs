//! Keeps the shape of the code: imports point one way, each foreign crate stays in its module, and what must not be
//! there is not there. The reasons are in ARCHITECTURE.md.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a file that cannot be read must fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A module may import those before it.
const ORDER: [&str; 22] = [
    "calendar",
    "market",
    "clock",
    "escape",
    "telemetry",
    "gateway",
    "quality",
    "lake",
    "signals",
    "rules",
    "evaluation",
    "report",
    "state",
    "alert",
    "monitor",
    "config",
    "job",
    "jobs",
    "scheduler",
    "cli",
    "main",
    "testing",
];

/// Foreign crates that one module alone may name.
const HOMES: [(&str, &str); 26] = [
    ("ibapi", "gateway"),
    ("prost", "gateway"),
    ("csv", "gateway"),
    ("flate2", "gateway"),
    ("time", "gateway"),
    ("deltalake", "lake"),
    ("datafusion", "lake"),
    ("arrow", "lake"),
    ("statrs", "evaluation"),
    ("rusqlite", "state"),
    ("lettre", "alert"),
    ("reqwest", "monitor"),
    ("tokio_cron_scheduler", "scheduler"),
    ("sd_notify", "scheduler"),
    ("croner", "scheduler"),
    ("saphyr_parser", "scheduler"),
    ("serde_yaml", "config"),
    ("tracing_appender", "telemetry"),
    ("tracing_subscriber", "telemetry"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("comfy_table", "cli"),
    ("indicatif", "cli"),
    ("rustix", "cli"),
    ("rustix", "lake"),
];

/// Zones belong to the calendar; the simulated gateway also reads and writes their names on the wire.
const ZONES: [&str; 2] = ["calendar", "gateway"];

/// Words that must not stand in the sources, and why.
const ABSENT: [(&str, &str); 6] = [
    (".optimize(", "two of them at once double every row"),
    ("BlindDeltaTable", "its files carry no statistics and can never be skipped"),
    ("place_order", "the program holds no code path that can place an order"),
    ("snapshot_once", "it hides errors"),
    ("#[allow(", "an exception is an #[expect(.., reason = \"..\")]"),
    ("#[ignore", "a test that does not run is no test"),
];

/// A path that starts at a crate: its line and its segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Mention {
    line: usize,
    segments: Vec<String>,
}

/// Collects every path of a file: in `use` trees, grouped ones too, in code, and inside of macros.
#[derive(Default)]
struct Mentions(BTreeSet<Mention>);

impl Mentions {
    fn of(text: &str) -> Self {
        let mut mentions = Self::default();
        mentions.visit_file(&syn::parse_file(text).expect("Rust"));
        mentions
    }

    fn use_tree(&mut self, tree: &syn::UseTree, before: &[String]) {
        let extended = |ident: &syn::Ident| [before, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.use_tree(&path.tree, &extended(&path.ident)),
            syn::UseTree::Name(name) => self.note(name.span().start().line, extended(&name.ident)),
            syn::UseTree::Rename(rename) => self.note(rename.span().start().line, extended(&rename.ident)),
            syn::UseTree::Glob(glob) => self.note(glob.span().start().line, before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, before)),
        }
    }

    fn note(&mut self, line: usize, segments: Vec<String>) {
        self.0.insert(Mention { line, segments });
    }

    /// Paths in the tokens of a macro call: identifiers joined by `::`.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if let TokenTree::Group(group) = &tokens[at] {
                self.tokens(group.stream());
            }
            let mut segments = Vec::new();
            let mut next = at;
            while let Some(TokenTree::Ident(ident)) = tokens.get(next) {
                segments.push(ident.to_string());
                let is_colon = |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
                if !(is_colon(tokens.get(next + 1)) && is_colon(tokens.get(next + 2))) {
                    break;
                }
                next += 3;
            }
            if segments.len() > 1 {
                self.note(tokens[at].span().start().line, segments);
            }
            at = next.max(at) + 1;
        }
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.note(path.span().start().line, segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// The module path of a file, as from the crate root: `src/gateway/ib.rs` is `[gateway, ib]`.
fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.first().is_some_and(|first| first == "src") {
        parts.remove(0);
    }
    let last = parts.pop().unwrap_or_default();
    let stem = last.trim_end_matches(".rs");
    if stem == "lib" || stem == "main" || parts.first().is_some_and(|first| first == "bin") {
        return vec!["main".to_owned()];
    }
    if stem != "mod" {
        parts.push(stem.to_owned());
    }
    parts
}

/// The top-level module of the crate that a mention reaches, if it reaches one.
fn reached(module: &[String], segments: &[String]) -> Option<String> {
    let first = segments.first()?;
    if first == "crate" || first == "frontmonth" {
        return segments.get(1).cloned();
    }
    let ups = segments.iter().take_while(|segment| *segment == "super").count();
    if ups >= module.len() { segments.get(ups).cloned() } else { None }
}

/// Every fault of one file against the order and the homes.
fn faults(file: &Path, text: &str) -> Vec<String> {
    let module = module_path(file);
    let top = module.first().cloned().unwrap_or_default();
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    let mut faults = Vec::new();
    for Mention { line, segments } in Mentions::of(text).0 {
        let place = format!("{}:{line}", file.display());
        if let Some(other) = reached(&module, &segments).filter(|other| *other != top)
            && let (Some(own), Some(theirs)) = (rank(&top), rank(&other))
            && theirs > own
        {
            faults.push(format!("{place}: {top} imports {other}, which comes after it"));
        }
        let first = segments.first().map_or("", String::as_str);
        if first == "chrono_tz" && !ZONES.contains(&top.as_str()) {
            faults.push(format!("{place}: {top} names the crate chrono_tz, which belongs to calendar"));
        }
        let homes = || HOMES.iter().filter(|(name, _)| *name == first).map(|(_, home)| home);
        if let Some(home) = homes().next().filter(|_| homes().all(|home| *home != top)) {
            faults.push(format!("{place}: {top} names the crate {first}, which belongs to {home}"));
        }
    }
    faults
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "jobs"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 50, "only {} files were found", files.len());
    let relative = |path: PathBuf| path.strip_prefix(root).expect("below the root").to_path_buf();
    files.into_iter().map(|path| (relative(path.clone()), fs::read_to_string(path).expect("a file"))).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn imports_point_one_way_and_foreign_crates_stay_home() {
    let faults: Vec<String> = sources().iter().flat_map(|(file, text)| faults(file, text)).collect();
    assert_none(&faults);
}

#[test]
fn every_module_of_the_crate_has_a_place_in_the_order() {
    let modules: BTreeSet<String> =
        sources().iter().filter_map(|(file, _)| module_path(file).first().cloned()).collect();
    let unknown: Vec<String> = modules.into_iter().filter(|module| !ORDER.contains(&module.as_str())).collect();
    assert_none(&unknown);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none(&silent.map(|(file, _)| format!("{} does not open with //!", file.display())).collect::<Vec<_>>());
}

#[test]
fn what_must_not_be_there_is_not_there() {
    let mut faults = Vec::new();
    for (file, text) in sources() {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for (word, reason) in ABSENT.iter().filter(|(word, _)| line.contains(word)) {
                faults.push(format!("{}:{}: {word}: {reason}", file.display(), at + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn an_import_against_the_order_is_found_in_every_form() {
    let forms = [
        "use crate::lake::Lake;",
        "use crate::{calendar, lake};",
        "use crate::{calendar::Slot, lake::{Lake, AsOf}};",
        "use super::super::lake::Lake;",
        "fn f() { crate::lake::open(); }",
        "fn f() -> crate::lake::Lake { todo() }",
        "fn f() { println!(\"{}\", crate::lake::NAME); }",
    ];
    for form in forms {
        let found = faults(Path::new("src/market/quote.rs"), form);
        assert!(found.iter().any(|f| f.contains("market imports lake")), "{form}: {found:?}");
        assert!(faults(Path::new("src/cli/show.rs"), form).is_empty(), "{form}");
    }
}

#[test]
fn a_foreign_crate_away_from_home_is_found_in_every_form() {
    for form in
        ["use ibapi::Client;", "use ibapi::{Client, Error};", "fn f() -> ibapi::Error { g() }", "use ibapi as ib;"]
    {
        let found = faults(Path::new("src/lake/read.rs"), form);
        assert!(found.iter().any(|f| f.contains("names the crate ibapi")), "{form}: {found:?}");
        assert!(faults(Path::new("src/gateway/ib.rs"), form).is_empty(), "{form}");
    }
}
