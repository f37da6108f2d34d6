PRAGMA foreign_keys = ON;
CREATE TABLE notes (id INTEGER PRIMARY KEY, "token" TEXT, body TEXT CHECK (body <> 'secret'), token_kind TEXT DEFAULT 'api_key');
CREATE VIRTUAL TABLE notes_fts USING fts5(body, content='notes', content_rowid='id', tokenize='porter unicode61');
CREATE INDEX notes_token ON notes ("token", "id") WHERE token_kind = 'password';
CREATE VIEW recent AS SELECT id, strftime('%Y-%m', created_at) AS month, ifnull(body, '') AS body FROM notes;
CREATE TRIGGER notes_change AFTER UPDATE OF "token" ON notes BEGIN UPDATE notes SET changed_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
