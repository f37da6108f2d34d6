//! Words of the format: enumerations that are text, and nothing else.

/// Writes and reads an enumeration as its word. serde's derived reader of JSON also takes `{"word": null}`,
/// which no other reader would; the enumeration derives with `remote = "Self"`, so that its reader is only
/// reached through here.
macro_rules! as_word {
    ($($name:ident),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $name::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl serde::de::Visitor<'_> for Word {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a word")
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::deserialize(serde::de::value::StrDeserializer::new(text))
                    }
                }
                deserializer.deserialize_str(Word)
            }
        }
    )+};
}

pub(super) use as_word;
