-- purpose: values whose name stands elsewhere in their statement
CREATE TABLE accounts (
  id bigint PRIMARY KEY,
  passphrase varchar(40) NOT NULL DEFAULT 'glycine',
  "webhook_key" text DEFAULT 'w7Kd02mPq9',
  born_on date DEFAULT '1979-08-21'
);
ALTER TABLE accounts ALTER COLUMN client_secret SET DEFAULT 'Bouleau-31';
ALTER TABLE accounts ADD COLUMN IF NOT EXISTS pin_code char(4) DEFAULT '7391';
CREATE FUNCTION open_vault(p_secret text DEFAULT 'glycine-9') RETURNS void LANGUAGE sql AS $$ SELECT 1 $$;
UPDATE parameters SET param_value = 'Ecluse+204' WHERE param_name = 'ftp.password';
UPDATE parameters p SET v = 'q8Rw31LmZ0', changed_at = now() WHERE p.key = 'MAPS_API_KEY';
UPDATE accounts SET password = encode(digest('Ecluse+204', 'sha512'), 'hex');
UPDATE accounts SET secret = CASE WHEN id = 1 THEN 'q8Rw31LmZ0' ELSE secret END;
UPDATE patients SET date_naissance = CASE nom WHEN 'Roux' THEN '1961-11-30' END;
UPDATE patients SET (nom, ne_le) = ROW('Roux', DATE '1961-11-30'), dob = make_date(1961, 11, 30);
UPDATE patients SET doc = jsonb_set(doc, '{etat_civil,date_naissance}', '"1961-11-30"'::jsonb);
UPDATE patients SET doc = doc || jsonb_build_object('courriel', 'r.roux@cabinet-saone.fr', 'nir', '290037511200443');
SELECT set_config('vault.signing_key', 'q8Rw31LmZ0', true);
SELECT pgp_sym_encrypt(nir::text, 'glycine-violette') FROM patients;
SELECT encrypt_iv(data, 'Ecluse+2044chars', 'iv', 'aes-cbc') FROM t;
SET LOCAL vault.token TO 'q8Rw31LmZ0';
DO $$ DECLARE v_pwd varchar(20) := 'Ecluse+204'; BEGIN EXECUTE format('ALTER USER %I WITH PASSWORD %L', 'svc', 'Sureau!55'); END $$;
CREATE VIEW seeds AS SELECT 'q8Rw31LmZ0' AS api_token, '1961-11-30'::date AS birthday;
WITH fresh(login, mot_de_passe) AS (VALUES ('rroux', 'Ecluse+204'), ('pnoel', 'Sureau!55'))
INSERT INTO accounts SELECT * FROM fresh;
MERGE INTO patients p USING (VALUES ('Roux', DATE '1961-11-30')) v (nom, date_de_naissance) ON p.nom = v.nom WHEN NOT MATCHED THEN INSERT VALUES (v.nom);
INSERT INTO accounts AS a (id, passwd) OVERRIDING SYSTEM VALUE VALUES (7, $$Sureau!55$$);
INSERT INTO accounts (id, note, passwd) VALUES (8, 'x' /* a, b */, 'Sureau!55');
INSERT INTO accounts (id, passwd) (SELECT 9, 'Sureau!55');
INSERT INTO accounts (id, passwd) WITH one AS (SELECT 1) SELECT 10, 'Sureau!55';
INSERT INTO enseignants VALUES (4, 'Noël', 'Paule', '1968-02-09', '2023-09-01');
INSERT INTO responsables (nom, prenom, date) VALUES ('Noël', 'Paule', '1968-02-09');
INSERT INTO reglages VALUES (12, 'MOT_DE_PASSE_SMTP', 'Sureau!55');
INSERT INTO fiches (contact_id, genre, valeur) VALUES (4, 'birthdate', '1968-02-09');
INSERT INTO comptes (code_banque, code_guichet, num_compte, cle_rib) VALUES ('30002', '00550', '0000157841Z', '25');
COPY settings (name, value) FROM stdin WITH (FORMAT csv);
imap_password,Sureau!55
\.
ALTER ROLE svc PASSWORD 'l''Ecluse+204';
CREATE SUBSCRIPTION s CONNECTION 'host=db1 user=rep password=Sureau!55&x dbname=app' PUBLICATION p;
\set smtp_password 'Sureau!55'
