//! A sheet as plain text: the same words as on the page, in the same order.

use super::sheet::{Grid, Sheet};

impl Sheet {
    /// The report as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = vec![self.title.clone(), self.lead.clone()];
        for section in &self.sections {
            out.extend([String::new(), section.title.to_uppercase()]);
            out.extend(
                section.lines.iter().map(|line| if section.is_warning { format!("- {line}") } else { line.clone() }),
            );
            if let Some(grid) = &section.grid {
                out.extend(rows(grid));
            }
            if let Some(chart) = &section.chart {
                out.push(format!("Chart: {}", chart.caption));
            }
            out.extend(section.notes.iter().map(|note| format!("  {note}")));
        }
        out.extend([String::new(), "--".to_owned()]);
        out.extend(self.footer.iter().cloned());
        let mut text = out.join("\n");
        text.push('\n');
        text
    }
}

fn rows(grid: &Grid) -> Vec<String> {
    let header: Vec<String> = grid.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let all: Vec<&Vec<String>> = [&header].into_iter().chain(&grid.rows).collect();
    let width =
        |at: usize| all.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..grid.columns.len()).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells = row.iter().zip(&grid.columns).zip(&widths);
        let cells = cells.map(
            |((cell, (_, is_number)), width)| {
                if *is_number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            },
        );
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}
