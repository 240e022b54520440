//! A sheet as a page, by a template that is compiled in and escapes what is put into it.

use askama::Template;

use super::sheet::{Chart, Sheet};

/// How pictures stand on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pictures {
    /// As parts of the mail, named `cid:NAME`: mail programs show no SVG.
    Attached,
    /// In the page itself, so that the file needs no other.
    Inline,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Html<'a> {
    sheet: &'a Sheet,
    pictures: Pictures,
}

impl Html<'_> {
    /// The picture in the page; none where it is attached.
    fn inline<'a>(&self, chart: &'a Chart) -> Option<&'a str> {
        (self.pictures == Pictures::Inline).then_some(chart.svg.as_str())
    }
}

impl Sheet {
    /// The report as a page.
    #[must_use]
    pub fn html(&self, pictures: Pictures) -> String {
        let rendered = Html { sheet: self, pictures }.render();
        // The template has no reason to fail.
        rendered.unwrap_or_else(|error| format!("<p>this page cannot be shown ({error}): read the text</p>"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::report;
    use super::*;

    #[test]
    fn nothing_from_outside_is_read_as_html() {
        let mut report = report();
        let evil = "</td><script>alert(1)</script><img src=x onerror=y>";
        report.mornings[0].heard.as_mut().expect("a signal").reasoning = evil.to_owned();
        report.incidents = vec![evil.to_owned()];
        report.origin = evil.to_owned();
        for pictures in [Pictures::Attached, Pictures::Inline] {
            let html = report.sheet().html(pictures);
            assert!(!html.contains("<script") && !html.contains("<img src=x"), "{html}");
        }
    }

    #[test]
    fn a_mail_names_its_pictures_and_a_file_holds_them() {
        let sheet = report().sheet();
        let names: Vec<&str> = sheet.charts().map(|chart| chart.name).collect();
        assert_eq!(names, ["night", "slots", "book"]);
        let (mail, file) = (sheet.html(Pictures::Attached), sheet.html(Pictures::Inline));
        for name in names {
            assert!(mail.contains(&format!("cid:{name}")), "{name}");
        }
        assert!(!mail.contains("<svg") && file.matches("<svg").count() == 3 && !file.contains("cid:"));
        assert!(mail.len() < 102 << 10, "{} bytes", mail.len());
    }

    #[test]
    fn text_and_page_say_the_same() {
        let sheet = report().sheet();
        insta::assert_snapshot!(sheet.text());
        let html = sheet.html(Pictures::Attached);
        for section in &sheet.sections {
            assert!(html.contains(section.title), "{}", section.title);
        }
    }
}
