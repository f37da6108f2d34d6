-- mot de passe de la base : Cerisier!48
-- l'ancien mot de passe était faible, le nouveau mot de passe est « Cerisier!48 »
-- pwd (recette) = Cerisier!48
-- identifiants: svc-import / Cerisier!48
-- PGPASSWORD='Cerisier!48' psql -h db2
-- SECRET_KEY_BASE=7f3d9b02c4
-- curl --user import:Cerisier48 https://depot.interne/x
-- née le 3 mai 1966 ; D.O.B. 03/05/1966
-- Hélène Castan (1966-05-03), Toulouse
PRAGMA main.rekey = 'Cerisier!48';
PRAGMA cipher_default_key = Cerisier48;
ATTACH DATABASE '/home/hcastan/vault.db' AS v KEY 'Cerisier!48';
UPDATE notes SET doc = json_set(doc, '$.compte.passphrase', 'Cerisier!48', '$.tel', '0561238107');
UPDATE notes SET doc = json_replace(doc, '$.anniversaire', '03/05/1966');
INSERT INTO membres (nom, née_le, e_mail) VALUES ('Castan', '3 mai 1966', 'castan@intranet');
INSERT INTO membres (nom, bday) VALUES ('Castan', 'May 3, 1966');
INSERT INTO membres (nom, dnaiss) VALUES ('Castan', '03051966');
INSERT INTO membres (nom, sel, pin) VALUES ('Castan', 'b7Qk20PwZ', 4820);
INSERT INTO notes VALUES ('h.castan' || '@' || 'free.fr');
INSERT INTO notes VALUES ('helene.castan (arobase) free (point) fr');
CREATE TRIGGER t AFTER INSERT ON notes BEGIN UPDATE membres SET mdp = 'Cerisier!48'; END;
