Scripts as PostgreSQL 15 runs them, each below a line with the number of its statements. That number was counted
from the server's own messages, with the whole script in one query.
==== 2
SELECT 1; SELECT 2
==== 0
 ;;; -- a;
/* ; */ ;
==== 1
;; SELECT 1 ;;
==== 1
SELECT ';', 'it'';s', ';''' AS ";", ";".";" FROM (SELECT 1 AS ";") AS ";"
==== 2
SELECT '\'; SELECT '\';
==== 1
SELECT E'\'; SELECT 1; --';
==== 1
SELECT E'\\\'; SELECT 1; --';
==== 2
SELECT E'\\'; SELECT 'a';
==== 1
SELECT E'a'
'\'; SELECT 2; --'
==== 2
SELECT E'a'
'\''; SELECT 2; --'
==== 1
SELECT E'a' -- b
  -- c '
	'\'; SELECT 2; --'
==== 2
SELECT 'a'
'\'; SELECT 2; --'
==== 2
SELECT U&'\0061', U&'\'';' UESCAPE '!', U&"\0061;" FROM (SELECT 1 AS "a;") x; SELECT 2
==== 2
SELECT B'01', X'1F', N'a;', b'', x''; SELECT 2
==== 2
SELECT $$ ; ' -- /* $$, $a$ ; $$ ; $b$ ; $a$, $é$;$é$; SELECT 2
==== 1
SELECT $$;$a$;$$, $A$;$a$;$A$, $_1$;$_1$, $$$$
==== 2
SELECT 1 AS a$$; SELECT 2 AS b$$;
==== 2
SELECT 1 AS a$b$; SELECT 2 AS c$b$;
==== 3
PREPARE p(int) AS SELECT $1; EXECUTE p(1); DEALLOCATE p
==== 1
PREPARE q(int, int) AS SELECT $1+$2,$1-$2
==== 2
SELECT 1 /* ; /* ; */ ' ; */ + 2; SELECT 3 /**/
==== 2
SELECT 1 /*/ ; */ -- */
; SELECT 2
==== 2
SELECT 2 */* ; */ 3; SELECT 4
==== 1
SELECT 2 *-- ; SELECT 1;
3
==== 2
SELECT 2 - -3, 4 - - - 5, 6 --; SELECT 7
; SELECT 8
==== 1
SELECT 1 -- ; SELECT 2
==== 2
SELECT 1 AS é, 2 AS 数据库, 3 AS "🦀;", 4 AS 🦀; SELECT 5
==== 3
CREATE TABLE t (a int); CREATE TABLE log (a int);
CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO log VALUES (1); INSERT INTO log VALUES (2);; DELETE FROM log);
==== 2
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END; $$; SELECT f();
==== 2
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN EXECUTE $$ SELECT 1; $$; RETURN 1; END; $f$; SELECT f();
==== 2
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS ' BEGIN RETURN length(''1;''); END; '; SELECT f();
==== 2
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT f(1);
==== 2
CREATE OR REPLACE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE a WHEN 1 THEN CASE WHEN true THEN 2 END ELSE 3 END; END; SELECT f(1)
==== 2
CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2 AS end; SELECT x.end FROM (SELECT 3 AS "end") x; END; SELECT f(1)
==== 3
CREATE TABLE t (a int); CREATE PROCEDURE p(a int) LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (a); DELETE FROM t; END; CALL p(1);
==== 2
CREATE FUNCTION f() RETURNS void BEGIN ATOMIC END; SELECT 1
==== 2
CREATE FUNCTION f() RETURNS int RETURN CASE WHEN true THEN 1 END; SELECT f()
==== 2
CREATE FUNCTION f("BEGIN" int, begin int) RETURNS int LANGUAGE sql AS 'SELECT 1'; SELECT 1 AS begin
==== 2
create function f() returns int begin /* ; */ atomic -- ;
 select 1; end; select f()
==== 2
DO $$ BEGIN PERFORM 1; END $$; DO LANGUAGE plpgsql $x$ BEGIN NULL; END $x$
==== 2
SELECT '{"a;": 1}'::jsonb #>> '{a;}', '{"a": 1}'::jsonb ? 'a', 1 <> 2, (ARRAY[1,2])[1:2]; SELECT 2
==== 2
WITH a AS (SELECT 1 AS b) SELECT * FROM a; TABLE pg_am
==== 3
CREATE TABLE t (a int); WITH x AS (INSERT INTO t VALUES (1) RETURNING a) INSERT INTO t SELECT a FROM x; (SELECT 1) UNION (SELECT 2);
==== 2
SELECT 1.5e10, 1., .5, 0.1, 1e-5; SELECT 2
==== 3
SAVEPOINT a; SELECT 1; ROLLBACK TO a
==== 3
CREATE TABLE t (a int, "b;" text DEFAULT ';'); COMMENT ON TABLE t IS 'a; b'; COMMENT ON COLUMN t."b;" IS $$;$$
==== 1
SELECT

1;
==== 2 raw
SELECT 1
;SELECT 2--
==== 2 raw
CREATE TEMP TABLE copied (stdin int); COPY (SELECT 1 AS stdin) TO '/dev/null'
==== 3 raw
SELECT 'BEGIN; COMMIT;'; SELECT 1 AS commit; SELECT 2 "COMMIT"
==== 1 raw
VACUUM (ANALYZE) pg_am
