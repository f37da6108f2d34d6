CREATE TABLE `eleves` (`id` INT PRIMARY KEY, `ine` CHAR(11), `nom` VARCHAR(80), `infos` JSON) ENGINE=InnoDB;
INSERT INTO `eleves` (`id`, `ine`, `nom`, `infos`) VALUES (1, '1029384756Z', 'Petit', '{"dateNaissance": "2011-05-04", "tel": "0389554412"}');
INSERT INTO `eleves` SET `id` = 2, `ine` = '163204857HK', `nom` = 'Faure';
REPLACE INTO eleves VALUES (3, '0908172635U', 'Garnier', '{\"birthday\": \"2010-10-31\"}');
# id sans clé juste, et hors contexte: 1029384756B
CREATE USER 'cantine'@'10.1.%' IDENTIFIED BY 'Pur33-de-c4rottes';
ALTER USER 'cantine'@'10.1.%' IDENTIFIED WITH mysql_native_password AS '*BD453ABF694B927B709A781D8C9D5C35065930CA';
SET PASSWORD FOR 'cantine'@'localhost' = PASSWORD('Gr4tin!2024');
GRANT SELECT ON ecole.* TO 'lecteur'@'%' IDENTIFIED BY 'l1seuse-bleue';
CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (USER 'app', PASSWORD 'Orme77!x', HOST '10.1.2.3');
UPDATE eleves SET infos = JSON_SET(infos, '$.contact', 'parent@famille-garnier.fr') WHERE id = 3;
