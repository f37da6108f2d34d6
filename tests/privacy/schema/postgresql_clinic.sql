-- purpose: keep who is treated, and who looked at what (version 12.4.1, 2026-01-05 09:00:00+01)
-- objet : tenir les dossiers; le mot de passe est haché par bcrypt, jamais en clair
-- password: hashed with argon2id, never kept as text; token: uuid4; secret: base64
-- ids look like 018f4c1e-7b2a-7c3d-9e4f-061234567890, digests like 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
-- checksum md5 d41d8cd98f00b204e9800998ecf8427e, commit 4e563d2f, build 20260105090000, epoch 1767600000000
-- write to admin@example.org or support@clinic.test; docs at https://docs.example.com:8443/a
CREATE TYPE state AS ENUM ('open', 'en cours', 'closed');
CREATE TABLE accounts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL CHECK (email ~* '^[^@]+@[^@]+\.[a-z]{2,}$'),
  password_hash text NOT NULL,
  password_algorithm text NOT NULL DEFAULT 'argon2id',
  api_key text UNIQUE,
  token_type text DEFAULT 'bearer',
  num_secu char(15) CHECK (num_secu ~ '^[0-9]{13}[0-9]{2}$'),
  tel text CHECK (tel ~ '^\+?[0-9 .-]{8,20}$'),
  iban varchar(34),
  date_naissance date CHECK (date_naissance > '1900-01-01'),
  cvv char(3),
  locale text DEFAULT 'fr_FR.UTF-8',
  ip inet DEFAULT '0.0.0.0',
  seq bigint DEFAULT 1000000000000,
  created_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'
);
CREATE SEQUENCE big MAXVALUE 9223372036854775807 START 4000000000000000;
CREATE INDEX accounts_open ON accounts (email) WHERE password_hash IS NOT NULL;
ALTER TABLE accounts ADD CONSTRAINT digits CHECK (translate(tel, '0123456789', '') <> tel);
COMMENT ON COLUMN accounts.num_secu IS 'NIR sur quinze signes, clé comprise';
COMMENT ON COLUMN accounts.tel IS 'E.164, such as +CC NNN';
COMMENT ON COLUMN accounts.iban IS 'ISO 13616, letters and digits without spaces';
CREATE TABLE logs PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE FUNCTION touch() RETURNS trigger AS $$ BEGIN NEW.token = gen_random_uuid(); NEW.password = crypt(NEW.password, gen_salt('bf', 12)); RETURN NEW; END $$ LANGUAGE plpgsql;
GRANT SELECT ON accounts TO reader;
CREATE TABLE nets (range cidr DEFAULT '192.0.2.0/24', six inet DEFAULT '2001:db8::1');
