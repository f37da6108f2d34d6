//! A list of words as it stands in the source: one text, with blanks between the words.

/// Words in small letters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WordList(pub(crate) &'static str);

impl WordList {
    pub(crate) fn has(self, word: &str) -> bool {
        self.0.split_ascii_whitespace().any(|known| known == word)
    }

    /// Whether one of several is in it.
    pub(crate) fn has_any(self, words: &[&str]) -> bool {
        words.iter().any(|word| self.has(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        let list = WordList(
            "one two \
            three",
        );
        assert!(list.has("two") && list.has("three") && list.has_any(&["x", "one"]));
        assert!(!list.has("tw") && !list.has("") && !list.has("one two"));
    }
}
