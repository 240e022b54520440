//! YAML as a tree in which everything knows its line.
//!
//! `serde_yaml`, which reads the configuration, keeps no lines and stops at the first error; a schedule file is to be
//! told every fault with its line. The tree is deliberately small: text, lists and mappings with plain keys. What a
//! text means is for its reader, so `5m`, `2` and `no` are what was written, whatever YAML makes of them.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::error::Faults;

/// Deepest nesting that is read; a schedule needs five.
const MAX_DEPTH: usize = 16;

/// A value and the line it starts on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing, as in `key:`.
    Empty,
    /// A scalar as it was written, without quotes.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file, each key once.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) line: usize,
}

/// Reads one document; none where the text is no YAML. Every fault is noted.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    let mut reader = Reader { parser: Parser::new_from_str(text), faults };
    match reader.document() {
        Ok(node) => Some(node),
        Err(error) => {
            let told = format!("column {}: {}: correct the YAML", error.marker().col() + 1, error.info());
            faults.add(error.marker().line(), told);
            None
        }
    }
}

struct Reader<'a, 'f> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    faults: &'f mut Faults,
}

impl<'a> Reader<'a, '_> {
    /// The first document; a second one is a fault.
    fn document(&mut self) -> Result<Node, ScanError> {
        let mut root = Node { line: 1, content: Content::Empty };
        let mut num_documents = 0;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(_) => {
                    num_documents += 1;
                    let node = match self.next()? {
                        Some(first) => self.node(first, 0)?,
                        None => break,
                    };
                    if num_documents == 1 {
                        root = node;
                    } else {
                        self.faults.add(span.start.line(), "a second YAML document: write one to a file");
                    }
                }
                Event::StreamEnd => break,
                _ => {}
            }
        }
        Ok(root)
    }

    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, ScanError> {
        self.parser.next_event().transpose()
    }

    fn node(&mut self, (event, span): (Event<'a>, Span), depth: usize) -> Result<Node, ScanError> {
        let line = span.start.line();
        if depth > MAX_DEPTH {
            return Err(ScanError::new_str(span.start, "nested too deeply"));
        }
        let content = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text.is_empty() || text == "~" || text == "null" => {
                Content::Empty
            }
            Event::Scalar(text, ..) => Content::Text(text.into_owned()),
            Event::SequenceStart(..) => Content::List(self.list(depth)?),
            Event::MappingStart(..) => Content::Map(self.map(depth)?),
            Event::Alias(_) => {
                return Err(ScanError::new_str(span.start, "aliases are not supported, write the value out"));
            }
            _ => Content::Empty,
        };
        Ok(Node { line, content })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, ScanError> {
        let mut items = Vec::new();
        while let Some(event) = self.next()? {
            if matches!(event.0, Event::SequenceEnd) {
                break;
            }
            items.push(self.node(event, depth + 1)?);
        }
        Ok(items)
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, ScanError> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        while let Some(event) = self.next()? {
            if matches!(event.0, Event::MappingEnd) {
                break;
            }
            let start = event.1.start;
            let Content::Text(name) = self.node(event, depth + 1)?.content else {
                return Err(ScanError::new_str(start, "a key must be plain text"));
            };
            let Some(value) = self.next()? else { break };
            let value = self.node(value, depth + 1)?;
            match entries.iter().find(|(key, _)| key.name == name) {
                Some((first, _)) => {
                    let told = format!("key {name} stands on line {} already: keep one of the two", first.line);
                    self.faults.add(start.line(), told);
                }
                None => entries.push((Key { name, line: start.line() }, value)),
            }
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Option<Node>, String) {
        let mut faults = Faults::default();
        faults.enter(Path::new("a.yaml"));
        let node = parse(text, &mut faults);
        (node, faults.finish().map_or_else(|faults| faults.to_string(), |()| String::new()))
    }

    fn lines(node: &Node, path: &str, told: &mut Vec<(String, usize)>) {
        told.push((path.to_owned(), node.line));
        match &node.content {
            Content::List(items) => {
                items.iter().enumerate().for_each(|(at, item)| lines(item, &format!("{path}[{at}]"), told));
            }
            Content::Map(entries) => entries.iter().for_each(|(key, value)| {
                assert!(key.line <= value.line);
                lines(value, &format!("{path}.{}", key.name), told);
            }),
            Content::Empty | Content::Text(_) => {}
        }
    }

    #[test]
    fn every_value_knows_its_line() {
        let (node, faults) = read("# a comment\na: 5m\nb:\n  - c: no\n  - { d: 1,\n      e: [x, 'y z'] }\nf:\n");
        assert_eq!(faults, "");
        let mut told = Vec::new();
        lines(&node.unwrap(), "", &mut told);
        let told: Vec<_> = told.iter().map(|(path, line)| (path.as_str(), *line)).collect();
        assert_eq!(
            told,
            [
                ("", 2),
                (".a", 2),
                (".b", 4),
                (".b[0]", 4),
                (".b[0].c", 4),
                (".b[1]", 5),
                (".b[1].d", 5),
                (".b[1].e", 6),
                (".b[1].e[0]", 6),
                (".b[1].e[1]", 6),
                (".f", 7),
            ]
        );
    }

    #[test]
    fn a_text_is_what_was_written() {
        let Content::Map(entries) = read("a: no\nb: 0x10\nc: '5m'\nd: \"\"\ne: null").0.unwrap().content else {
            panic!("a mapping");
        };
        let contents: Vec<Content> = entries.into_iter().map(|(_, node)| node.content).collect();
        let text = |text: &str| Content::Text(text.to_owned());
        assert_eq!(contents, [text("no"), text("0x10"), text("5m"), text(""), Content::Empty]);
    }

    #[test]
    fn what_is_no_sound_yaml_names_line_and_column() {
        assert_eq!(
            read("a: 1\nb: 2\na: 3\nb: 4\n").1,
            "a.yaml:3: key a stands on line 1 already: keep one of the two\na.yaml:4: key b stands on line 2 already: keep one of the two"
        );
        assert!(read("a: [1\nb: 2\n").1.starts_with("a.yaml:2: column "), "{}", read("a: [1\nb: 2\n").1);
        assert!(read("a: &x 1\nb: *x\n").1.contains("a.yaml:2: column 4: aliases are not supported"));
        assert!(read("a: 1\n---\nb: 1\n").1.contains("a.yaml:2: a second YAML document"));
        assert!(read(&"[".repeat(20)).1.contains("nested too deeply"), "{}", read(&"[".repeat(20)).1);
        assert!(!read(&"[".repeat(100_000)).1.is_empty());
        assert!(read("? [a]\n: 1\n").1.contains("a key must be plain text"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[\\[\\]{}:,&*#'\"|>a-c0-9 \n-]{0,80}") {
            read(&text);
        }
    }
}
