/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
CREATE TABLE `comptes` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `login` varchar(64) NOT NULL,
  `password` varchar(255) NOT NULL DEFAULT '' COMMENT 'bcrypt, cost 12',
  `auth` enum('password','otp','passkey') NOT NULL DEFAULT 'password',
  `token` char(64) DEFAULT NULL COMMENT 'token: base64url-encoded',
  `born` date DEFAULT '1970-01-01',
  `device` varchar(45) DEFAULT '127.0.0.1',
  `place` varchar(20) DEFAULT 'Sur Place',
  KEY `password` (`password`)
) ENGINE=InnoDB AUTO_INCREMENT=100000001 DEFAULT CHARSET=utf8mb4;
ALTER TABLE `comptes` MODIFY `token` char(64) NOT NULL, ADD INDEX `by_token` (`token`,`id`);
CREATE TABLE `mesures` (`a` int) PARTITION BY RANGE (`a`) (PARTITION p0 VALUES LESS THAN (1704067200), PARTITION p1 VALUES LESS THAN MAXVALUE);
