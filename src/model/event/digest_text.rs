//! Digests as the text that statements hold.

/// Digests as `sha256:<hex>`.
pub mod prefixed {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::crypto::Digest;

    pub fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.to_prefixed())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse_prefixed(&text)
            .ok_or_else(|| D::Error::custom("a digest is written sha256:<64 hex digits>"))
    }
}

/// Digests as `sha256:<hex>` or null; the member must be there.
pub mod prefixed_option {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::crypto::Digest;

    pub fn serialize<S: Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.serialize_some(&digest.to_prefixed()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        match Digest::parse_prefixed(&text) {
            Some(digest) => Ok(Some(digest)),
            None => Err(D::Error::custom("a digest is written sha256:<64 hex digits>")),
        }
    }
}
