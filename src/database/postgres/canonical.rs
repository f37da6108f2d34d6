//! One form for expressions that PostgreSQL writes in two: what it prints of `x IN ('a', 'b')` for a `varchar`
//! reads back as another tree of the same meaning, so a restored dump would differ from its source.

/// `(ARRAY[a, b])::T[]` becomes `ARRAY[(a)::T, (b)::T]`, as it reads after a restore.
pub fn canonical(mut text: String) -> String {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("(ARRAY[")).map(|at| from + at) {
        from = at + 1;
        let Some((elements, length)) = elements(&text[at + "(ARRAY[".len()..]) else { continue };
        let end = at + "(ARRAY[".len() + length;
        let Some((kind, after)) = text[end..].strip_prefix(")::").and_then(array_type) else { continue };
        let cast: Vec<String> = elements.iter().map(|element| format!("({element})::{kind}")).collect();
        let cast = format!("ARRAY[{}]", cast.join(", "));
        let after = text.len() - after.len();
        text.replace_range(at..after, &cast);
    }
    text
}

/// The elements up to the closing bracket, and how many bytes they and the bracket take.
fn elements(text: &str) -> Option<(Vec<&str>, usize)> {
    let (mut elements, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_i32, None);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[') => depth += 1,
            (None, b']') if depth == 0 => {
                elements.push(text[start..at].trim());
                return Some((elements, at + 1));
            }
            (None, b')' | b']') => depth -= 1,
            (None, b',') if depth == 0 => {
                elements.push(text[start..at].trim());
                start = at + 1;
            }
            (None, b'\n') => return None,
            (None, _) => {}
        }
    }
    None
}

/// The name of an array's elements, and what stands after `[]`.
fn array_type(text: &str) -> Option<(&str, &str)> {
    let (kind, after) = text.split_once("[]")?;
    let plain = |c: char| c.is_alphanumeric() || " _.\"".contains(c);
    (!kind.is_empty() && kind.chars().all(plain)).then_some((kind, after))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn a_cast_of_an_array_is_one_of_its_elements() {
        let before =
            "CHECK (((s)::text = ANY ((ARRAY['a,'::character varying, 'b]'::character varying])::text[])))";
        let after = "CHECK (((s)::text = ANY (ARRAY[('a,'::character varying)::text, ('b]'::character varying)::text])))";
        assert_eq!(canonical(before.to_owned()), after);
        assert_eq!(canonical(after.to_owned()), after);
        for other in ["(ARRAY[1, 2])", "x (ARRAY[", "(ARRAY['a])::text[]", "(ARRAY[1])::numeric(1,2)[]"] {
            assert_eq!(canonical(other.to_owned()), other);
        }
    }
}
