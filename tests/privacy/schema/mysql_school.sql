-- Migration: 2026_01_05_090000_create_eleves_table (v2.13.0-rc.4)
-- base de données de l'école; clé API et jeton gardés hors d'ici
SET FOREIGN_KEY_CHECKS=0;
DROP TABLE IF EXISTS `eleves`;
CREATE TABLE `eleves` (
  `id` BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  `ine` CHAR(11) COLLATE utf8mb4_0900_ai_ci DEFAULT NULL COMMENT 'identifiant national, onze signes',
  `mot_de_passe` VARCHAR(255) NOT NULL COMMENT 'haché, voir la charte',
  `remember_token` VARCHAR(100) DEFAULT NULL,
  `reset_token` VARCHAR(64) DEFAULT '',
  `tel` VARCHAR(20) DEFAULT NULL COMMENT 'format 0X XX XX XX XX',
  `etat` ENUM('inscrit','parti','diplômé') NOT NULL DEFAULT 'inscrit',
  `uuid` CHAR(36) DEFAULT '00000000-0000-0000-0000-000000000000',
  `code` CHAR(10) DEFAULT '0000000000',
  `couleur` CHAR(7) DEFAULT '#1a2b3c',
  `prix` DECIMAL(16,4) DEFAULT 1234.5678,
  `jusque` DATETIME DEFAULT '9999-12-31 23:59:59',
  PRIMARY KEY (`id`), UNIQUE KEY `u_ine` (`ine`), KEY `k_tel` (`tel`(10))
) ENGINE=InnoDB AUTO_INCREMENT=100000000000001 DEFAULT CHARSET=utf8mb4 COMMENT='élèves; voir https://intranet.example.org/doc';
ALTER TABLE `eleves` ADD COLUMN `secret_question` VARCHAR(255) AFTER `tel`, ADD COLUMN token_expires_at DATETIME;
CREATE DEFINER=`root`@`localhost` VIEW `v` AS SELECT `id` FROM `eleves` WHERE `etat` = 'inscrit';
CREATE TABLE `p` (`a` INT) PARTITION BY RANGE (`a`) (PARTITION p2024 VALUES LESS THAN (2024), PARTITION px VALUES LESS THAN MAXVALUE);
/*!50003 CREATE TABLE `x` (`iban` VARCHAR(34)) */;
SET FOREIGN_KEY_CHECKS=1;
