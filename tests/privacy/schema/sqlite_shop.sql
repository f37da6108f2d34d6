-- schema version 4.2.0.17, sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709; layout of 06/2026
-- see RFC 3339 and ISO 8601: 2026-06-12T12:34:56.789012Z
-- the card number is never kept: `card_last4` has 4 digits, `card_brand` is visa or mastercard
PRAGMA foreign_keys = ON;
PRAGMA application_id = 1196576097;
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  ref TEXT NOT NULL DEFAULT 'ORD-0000-0000-0000-0001',
  card_last4 TEXT CHECK (length(card_last4) = 4),
  card_brand TEXT CHECK (card_brand IN ('visa', 'mastercard', 'cb')),
  phone TEXT, email TEXT COLLATE NOCASE, iban TEXT,
  access_token TEXT, client_secret TEXT,
  state TEXT DEFAULT 'new' CHECK (state IN ('new', 'paid', 'sent')),
  at TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE UNIQUE INDEX orders_ref ON orders (ref) WHERE state <> 'new';
CREATE TRIGGER orders_touch AFTER UPDATE ON orders BEGIN UPDATE orders SET at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
CREATE VIEW paid AS SELECT id, ref FROM orders WHERE state = 'paid';
ALTER TABLE orders ADD COLUMN {{ column }} TEXT;
CREATE TABLE ${prefix}_log (password TEXT, token TEXT DEFAULT '%(token)s');
