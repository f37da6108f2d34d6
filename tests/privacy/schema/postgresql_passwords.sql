-- password: PBKDF2-SHA512, token: 32-char hex, secret: see OPS-2210
SET client_encoding = 'UTF8';
SET default_tablespace = '';
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TYPE sign_in AS ENUM ('email', 'password', 'magic_link', 'api_key');
CREATE TABLE "Account" (
  "id" uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  "password" text NOT NULL DEFAULT '',
  "kind" text DEFAULT 'password', "scope" text DEFAULT 'read',
  "sender" text DEFAULT 'noreply@example.org',
  "quota" bigint DEFAULT 86400000000000,
  "secret_state" text DEFAULT 'unknown',
  "born" date CHECK ("born" >= '1900-01-01'),
  CONSTRAINT "kind_known" CHECK ("kind" = 'password' OR "kind" = 'magic_link')
);
ALTER TABLE "Account" DROP COLUMN "password", DROP COLUMN "scope";
ALTER TABLE "Account" RENAME COLUMN "kind" TO "password";
CREATE UNIQUE INDEX "account_password_key" ON "Account" ("password", "id");
COMMENT ON COLUMN "Account"."password" IS 'hashed by the service';
COMMENT ON COLUMN "Account"."kind" IS 'either ''password'' or ''magic_link''';
CREATE SEQUENCE account_number START WITH 4539148803436467 MAXVALUE 9223372036854775807;
CREATE VIEW "ByMonth" AS SELECT date_trunc('month', a."born") AS "month", coalesce(a."sender", '') AS "sender" FROM "Account" a;
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changed_at = now(); RETURN NEW; END $$;
ALTER TABLE "Account" OWNER TO app_owner;
