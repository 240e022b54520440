//! A page as plain text: the same words as on the HTML page, in the same order.

use super::page::{Cell, Page, Table};

/// Width to which the names of facts are filled up.
const NAME_WIDTH: usize = 14;

/// The page as text.
pub(super) fn text(page: &Page) -> String {
    let mut out = vec![page.headline.clone(), page.lead.clone(), String::new()];
    out.extend(page.facts.iter().map(|(name, value)| format!("{:NAME_WIDTH$}{value}", format!("{name}:"))));
    for group in &page.groups {
        out.extend([String::new(), format!("{}:", group.title)]);
        out.extend(group.lines.iter().map(|line| format!("  - {line}")));
        if group.num_more > 0 {
            out.push(format!("  and {} more", group.num_more));
        }
    }
    if let Some(table) = &page.table {
        out.push(String::new());
        out.extend(rows(table));
    }
    if let Some(caption) = &page.caption {
        out.extend([String::new(), format!("Chart: {caption}")]);
    }
    if !page.runbook.is_empty() {
        out.extend([String::new(), page.runbook.clone()]);
    }
    if !page.commands.is_empty() {
        out.extend([String::new(), "Next:".to_owned()]);
        out.extend(page.commands.iter().map(|command| format!("  {command}")));
    }
    out.extend([String::new(), "--".to_owned()]);
    out.extend(page.footer.iter().cloned());
    let mut text = out.join("\n");
    text.push('\n');
    text
}

fn rows(table: &Table) -> Vec<String> {
    let width = |at: usize| {
        let cells = table.rows.iter().chain([&table.columns]).filter_map(|row| row.get(at));
        cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let line = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            if cell.is_number { format!("{:>width$}", cell.text) } else { format!("{:width$}", cell.text) }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut out: Vec<String> = [&table.columns].into_iter().chain(&table.rows).map(line).collect();
    if table.num_more > 0 {
        out.push(format!("and {} more rows", table.num_more));
    }
    out
}
