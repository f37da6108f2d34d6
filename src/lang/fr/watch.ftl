# Ce que `greffe watch` dit de ce qu'il trouve. Les règles sont des phrases sans leur fin.

rule-schema-out-of-band = le schéma en service n'est pas celui que la dernière entrée a laissé
rule-change-out-of-band = une modification du schéma n'est pas passée par greffe
rule-guard-fails = le gardien de la base ne signale pas toute modification du schéma
rule-unarchived-change = une modification est dans la base et pas encore dans l'archive
rule-unknown-key = une clé que le document de confiance ne nomme pas a signé
rule-revoked-key = une clé révoquée ou volée a signé
rule-outside-window = une migration s'est exécutée hors de la plage déclarée
rule-fork = deux versions de la chaîne sont signées, et aucune ne prolonge l'autre
rule-rollback = la chaîne est plus courte que ce qui en a été vu auparavant
rule-stale = la dernière attestation de la tête est plus ancienne qu'il n'est permis
rule-replication-below-target = moins de répliques qu'il n'en faut conservent la tête
rule-access-burst = du contenu scellé a été ouvert plus souvent en une heure qu'il n'est permis
rule-slow-migration = une migration a duré plus de trois fois la médiane des vingt précédentes
rule-clock-offset = une horloge s'écarte plus qu'il n'est toléré
rule-unverified = la vérification trouve une autre anomalie
rule-differs = l'archive, le dossier et la base diffèrent
rule-replica-differs = une réplique ne conserve pas ce qu'elle a reçu, ou montre autre chose
rule-replica-unreachable = une réplique ou un témoin est injoignable
rule-undelivered-head = une réplique attend encore la tête
rule-erasure-due = du contenu scellé est conservé plus longtemps qu'il n'est permis, ou le sera bientôt
rule-waiver-due = une dérogation ou une attestation a pris fin, ou le fera bientôt
rule-unreachable = un objet de la surveillance n'a pas pu être examiné

severity-info = information
severity-warning = avertissement
severity-critical = critique

watch-finding = { $subject } : { $rule }

# Courriel
mail-title = [greffe { $name }] { $severity } : { $code }, { $subject }
mail-title-ended = [greffe { $name }] terminé : { $severity } : { $code }, { $subject }
mail-gone = Cela n'est plus constaté.
mail-name = chaîne : { $name }
mail-chain = chaîne : { $name } ({ $chain })
mail-rule = règle : { $code } ({ $rule })
mail-since = depuis : { $since }
mail-at = le : { $at }

# Ce qui est ouvert
watch-nothing = { $name } : rien à signaler
watch-found = { $name } : { $count ->
    [one] { $count } anomalie
   *[other] { $count } anomalies
}
watch-owed = { $count ->
    [one] { $count } alerte attend d'être remise
   *[other] { $count } alertes attendent d'être remises
}
