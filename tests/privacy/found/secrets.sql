INSERT INTO integrations (name, api_key, secret) VALUES ('maps', 'AIza1kKB5oiAKCAAfLesTgcfQgWHHxjZ7GFTjMe', 'p9mb6ivyQKhVtwu9');
INSERT INTO integrations (name, api_key) VALUES ('pay', 'sk_live_xaP1Fnd4Nc493WZ0LllvBChf');
UPDATE settings SET value = 'ghp_mMoFZEYjyhgLUCPiUCGUfT7EKz0xDodmdChg' WHERE key = 'forge';
SELECT set_config('app.gitlab', 'glpat-nUaTMN6bPx1BHf9VWMG0', false);
-- deploy with AKIAMOUYMASSFUZOSF2X until the role exists
-- aws_secret_access_key = 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
INSERT INTO hooks (url) VALUES ('https://hooks.slack.com/services/TRMLxRBmF/B0HG1frke/FU3rAXhN10rsrZ0Grr4OApxp');
INSERT INTO bots (token) VALUES ('xoxb-38733983571-161296020934-fgDD3Q5s7KfiMw3PeuYc16f2');
-- //registry: npm_iPZx1e0oUcMYuosVw9ueH5h6UNwBkkq5yjBU and pypi-YegIofs7lvVmg8ddJYVl0kJOus4pVGEhKT7fi7Vi
SET app.azure = 'DefaultEndpointsProtocol=https;AccountName=x;AccountKey=ounAlkiWCdS4CLQNsA07BLR5V7xSKTF3xV2XHltrR8E1i11rFOGIY7GsZnKHzXi0FPEhszcc3xG8swySbNj1Sa==';
UPDATE sessions SET jwt = 'eyJf0lCL8iX91BKOL94gxGc.eyJMTPxwg8uPgE1kPpExKw7xWZBxVOQcVj7TQ4Pudc9.oGxExEJltiPrYbYCVsLRqD1ssz3FCQOfF5PCviLVgxT';
INSERT INTO keys (pem) VALUES ('
-----BEGIN RSA PRIVATE KEY-----
MQDxEKynIHTLlYjG0cfJYQWtnjOzq84Zm9hacCT1nuubaVbViKtOtac0nvu2fAp6
-----END RSA PRIVATE KEY-----');
INSERT INTO comptes (login, mot_de_passe) VALUES ('lea', '$2b$12$2a3RgHGmE6WT0A5hBGjejQTX8YQTw7MBQdqASQmbseXFuSkodz0St');
INSERT INTO comptes (login, mot_de_passe) VALUES ('guy', '$argon2id$v=19$m=65536,t=3,p=4$qtHrMbzYnTSSSnmhZXP37X$FjT0upP6fBw5G04JRF6D3NxNiNkEgoHYvN8kJp8oBUR');
INSERT INTO comptes (login, mot_de_passe) VALUES ('ida', 'Bleuet-2019');
ALTER ROLE app PASSWORD 'SCRAM-SHA-256$4096:M6mvSiKXreCuKjQpUMz1b6==$uzwXthhyR27Q2CAMaFvJT436mbWa8TMSGuxTE4LgNlh=:dCrfJbmpO6edvwyTu7FMk9FVYrO858dE1DLWp4ZIQYS=';
ALTER ROLE old ENCRYPTED PASSWORD 'md51cef535a9c3e595bb1c827fe96f22925';
INSERT INTO shadow VALUES ('$6$zgJhllTF$uKpTmCpXybHwthHHFKcLgCUxqv6ggm3FBKCgS2ibwiyC5vQH6SBMhYyE9ROA1iXeUlpCmrMJ1Q166jn9Ha04v6');
CREATE ROLE lecture LOGIN PASSWORD 'Tilleul!88';
CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'app', password 'Saule:44');
CREATE SUBSCRIPTION s CONNECTION 'host=10.0.0.7 dbname=a user=rep password=hetre' PUBLICATION p;
SELECT dblink_connect('postgresql://rep:Fr3ne@10.0.0.7:5432/a');
-- Server=sql1;Database=a;User Id=sa;Password=Cedre1;
UPDATE comptes SET hash = crypt('Erable7', gen_salt('bf'));
DO $$ BEGIN EXECUTE 'CREATE ROLE x PASSWORD ''Noyer22'''; END $$;
COMMENT ON TABLE comptes IS 'mot de passe : Platane#5';
-- password: Charme2021
INSERT INTO cfg VALUES ('{"client_secret": "q8xfZkGuJ12A8Utioy6aLg", "redirect": "https://app.example.org"}');
\copy t from '/home/jlambert/export/clients.csv'
LOAD DATA INFILE 'C:\\Users\\jlambert\\clients.csv' INTO TABLE t;
-- curl -H 'Authorization: Bearer 5joe2XkPjFs37IyfCTs9eyC6FBvEUo' https://api.example.org
INSERT INTO cache (url) VALUES ('redis://:Bouleau9@cache.interne:6379/0');
-- nothing here: postgres://user:password@db.example.org/app, {{ password }}, ${DB_PASSWORD}, %(secret)s
ALTER ROLE app PASSWORD '${APP_PASSWORD}';
