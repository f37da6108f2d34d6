//! The fingerprint: what it sees, what it passes over.
