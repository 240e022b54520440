//! A page as HTML, by a template that is compiled in and escapes everything that is put into it.

use askama::Template;

use super::page::Page;

#[derive(Template)]
#[template(path = "alert.html")]
struct Html<'a> {
    page: &'a Page,
}

/// Mail programs cut a page off above this; pictures do not count.
const MAX_BYTES: usize = 100 << 10;

/// Lines that a list keeps on a page that would be too long.
const FEW: usize = 3;

/// The page as HTML, shortened where mail programs would cut it off.
pub(super) fn html(page: &Page) -> String {
    let whole = render(page);
    if whole.len() <= MAX_BYTES {
        return whole;
    }
    let mut short = page.clone();
    short.table = None;
    short.runbook = String::new();
    for group in &mut short.groups {
        group.num_more += group.lines.len().saturating_sub(FEW);
        group.lines.truncate(FEW);
    }
    short.footer.push("This page was shortened: the text part of this mail says all.".to_owned());
    render(&short)
}

/// A plain line instead where the template fails, which it has no reason to.
fn render(page: &Page) -> String {
    let rendered = Html { page }.render();
    rendered.unwrap_or_else(|error| format!("<p>this page cannot be shown ({error}): read the text</p>"))
}

#[cfg(test)]
mod tests {
    use super::super::observation::Sample;
    use super::super::page::{Group, Page, Table, Tone};
    use super::super::text::text;
    use super::*;

    const EVIL: &str = "</td><script>alert(1)</script>\"'&<img src=x onerror=y>\r\nBcc: a@b\u{202e}\u{1b}[2J";

    fn page(word: &str) -> Page {
        let many = vec![word.to_owned(); 500];
        let sample = Sample { columns: vec![word.to_owned(); 30], rows: vec![many.clone(); 300], num_all: 1_000 };
        Page {
            tone: Tone::Bad,
            preheader: word.to_owned(),
            headline: word.to_owned(),
            lead: word.to_owned(),
            facts: vec![("Observed", word.to_owned()), ("Empty", " ".to_owned())],
            groups: vec![Group::new(word, &many); 50],
            table: Table::new(&sample),
            caption: Some(word.to_owned()),
            runbook: many.join("\n"),
            commands: many.clone(),
            footer: vec![word.to_owned()],
        }
        .cleaned()
    }

    #[test]
    fn nothing_from_outside_is_read_as_html_or_breaks_a_line() {
        let html = html(&page(EVIL));
        assert!(!html.contains("<script") && !html.contains("<img src=x") && !html.contains("onerror=y>"), "{html}");
        for text in [html, text(&page(EVIL))] {
            assert!(!text.contains(['\r', '\u{202e}', '\u{1b}']), "{text}");
        }
    }

    #[test]
    fn the_largest_page_stays_below_what_mail_programs_cut_off() {
        for word in ["word ", "<&>\"'"] {
            let html = html(&page(&word.repeat(2_000)));
            assert!(html.len() < 102 << 10, "{} bytes of {word}", html.len());
        }
        let html = html(&page("word"));
        assert!(html.contains("and 980 more rows") && html.contains("and 480 more"));
    }

    #[test]
    fn a_page_says_the_same_as_text() {
        let page = page("seen");
        let text = text(&page);
        for part in ["Observed:     seen", "and 980 more rows", "Chart: seen", "Next:\n  seen"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("Empty"), "what does not apply is left out");
    }
}
