-- What runs with these rights belongs to nobody else.
DO $do$
DECLARE
    other text;
BEGIN
    SELECT o.name INTO other
    FROM (
        SELECT nspname::text AS name, nspowner AS owner FROM pg_namespace WHERE nspname = 'greffe_guard'
        UNION ALL SELECT c.relname, c.relowner FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = 'greffe_guard'
        UNION ALL SELECT p.proname, p.proowner FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
            WHERE n.nspname = 'greffe_guard'
    ) AS o JOIN pg_roles AS r ON r.oid = o.owner
    WHERE r.rolname <> current_user AND NOT r.rolsuper
    LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'greffe_guard: % belongs to another role', other USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$do$;

-- Nobody but the owner writes, whatever the default privileges of this database say; who may read all of it goes on.
DO $do$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT o.grantee, CASE o.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o.grantee)) END AS name,
            o.grantee <> 0 AND bool_or(o.kind = 'n' AND o.privilege = 'USAGE')
                AND bool_or(o.kind = 'changes' AND o.privilege = 'SELECT') AS reads
        FROM (
            SELECT 'n' AS kind, n.nspowner AS owner, a.grantee, a.privilege_type AS privilege
                FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a WHERE n.nspname = 'greffe_guard'
            UNION ALL SELECT c.relname, c.relowner, a.grantee, a.privilege_type
                FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                CROSS JOIN LATERAL aclexplode(c.relacl) AS a WHERE n.nspname = 'greffe_guard'
            UNION ALL SELECT 'f', p.proowner, a.grantee, a.privilege_type
                FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                WHERE n.nspname = 'greffe_guard'
        ) AS o
        WHERE o.grantee <> o.owner
        GROUP BY o.grantee
    LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA greffe_guard FROM %s', given.name);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA greffe_guard FROM %s', given.name);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA greffe_guard FROM %s', given.name);
        EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA greffe_guard FROM %s', given.name);
        IF given.reads THEN
            EXECUTE format('GRANT USAGE ON SCHEMA greffe_guard TO %s', given.name);
            EXECUTE format('GRANT SELECT ON greffe_guard.installed, greffe_guard.changes, greffe_guard.missed TO %s', given.name);
        END IF;
    END LOOP;
END
$do$;

CREATE EVENT TRIGGER greffe_guard_by_define ON ddl_command_end EXECUTE FUNCTION greffe_guard.role_seen();
CREATE EVENT TRIGGER greffe_guard_by_drop ON sql_drop EXECUTE FUNCTION greffe_guard.role_seen();
CREATE EVENT TRIGGER greffe_guard_define ON ddl_command_end EXECUTE FUNCTION greffe_guard.schema_changed();
CREATE EVENT TRIGGER greffe_guard_drop ON sql_drop EXECUTE FUNCTION greffe_guard.schema_changed();
-- Also where a session says that it is a replica.
ALTER EVENT TRIGGER greffe_guard_by_define ENABLE ALWAYS;
ALTER EVENT TRIGGER greffe_guard_by_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER greffe_guard_define ENABLE ALWAYS;
ALTER EVENT TRIGGER greffe_guard_drop ENABLE ALWAYS;
