//! Finding the line of a key in a YAML text, for messages.

/// The line, from 1, on which a key path stands in a block-style file; a key inside a flow mapping is looked for on the
/// lines from its section on.
pub(super) fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut nearest = (0, 0);
    for (at, line) in text.lines().enumerate() {
        let Some((indent, key)) = block_key(line) else { continue };
        while open.last().is_some_and(|(outer, _)| *outer >= indent) {
            open.pop();
        }
        open.push((indent, key));
        let agrees = open.len() <= path.len() && open.iter().zip(path).all(|((_, a), b)| a == b);
        if agrees && open.len() == path.len() {
            return Some(at + 1);
        }
        if agrees && open.len() > nearest.0 {
            nearest = (open.len(), at);
        }
    }
    let needle = format!("{}:", path.last()?);
    let after = text.lines().enumerate().skip(nearest.1);
    after.filter(|(_, line)| line.contains(&needle)).map(|(at, _)| at + 1).next()
}

/// Indentation and key of a line `  key: …`.
fn block_key(line: &str) -> Option<(usize, &str)> {
    let trimmed = line.trim_start();
    let (key, _) = trimmed.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    is_key.then_some((line.len() - trimmed.len(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, path: &str) -> Option<usize> {
        line_of(text, &path.split('.').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_key_is_found_in_its_own_section() {
        let text = "a:\n  kind: 1\n# comment\nb:\n  other: 2\n\n  kind: 3\n";
        assert_eq!((find(text, "a.kind"), find(text, "b.kind"), find(text, "b")), (Some(2), Some(7), Some(4)));
    }

    #[test]
    fn a_key_in_a_flow_mapping_is_found_on_its_line() {
        let text = "a: { kind: 1 }\nb: { x: 1,\n  kind: 2 }\n";
        assert_eq!((find(text, "a.kind"), find(text, "b.kind"), find(text, "c.z")), (Some(1), Some(3), None));
    }
}
