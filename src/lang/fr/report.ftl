# Rapports sur les changements. Ce qui suit un tiret dans un identifiant est le mot du format qu'il dit.

# Dates et durées
month-1 = janvier
month-2 = février
month-3 = mars
month-4 = avril
month-5 = mai
month-6 = juin
month-7 = juillet
month-8 = août
month-9 = septembre
month-10 = octobre
month-11 = novembre
month-12 = décembre
day = { $day ->
    [1] 1er { $month } { $year }
   *[other] { $day } { $month } { $year }
}
moment = { $day } à { $time } UTC
unit-microseconds = { $number } µs
unit-milliseconds = { $number } ms
unit-seconds = { $number } s
unit-minutes = { $number } min
unit-hours = { $number } h
yes = oui
no = non

# En-tête
report-title = Rapport de changements : { $name }
report-kind = Rapport de changements
scope-whole = Toute la chaîne, de sa première entrée à la dernière
scope-period = Du { $from } au { $until } inclus (UTC)
scope-from = À partir du { $from } (UTC)
scope-until = Jusqu'au { $until } inclus (UTC)
scope-release = Livraison { $release }
scope-entries = Entrées { $first } à { $last }
verdict-verified = Vérifié : rien à relever, aucune entrée ne manque
verdict-incomplete = Incomplet : des entrées de ce périmètre sont illisibles
verdict-findings = { $count ->
    [one] Non vérifié : { $count } anomalie
   *[other] Non vérifié : { $count } anomalies
}
population-counted = { $expected ->
    [one] Entrée { $first } : { $read } entrée lue sur { $expected }.
   *[other] Entrées { $first } à { $last } : { $read } lues sur { $expected }.
}
population-empty = Aucune entrée de la chaîne n'est dans ce périmètre.
fact-chain = Chaîne
fact-head = Tête
fact-manifest = Manifeste
fact-merkle = Racine de Merkle
tree-of = { $count ->
    [one] de la première entrée
   *[other] des { $count } premières entrées
}
fact-date = Date du rapport
date-given = donnée par qui l'a établi
date-of-head = heure de la dernière entrée
fact-not-before = Dernière entrée faite au plus tôt
fact-not-after = … et au plus tard
fact-program = Rédigé par
nobody-else = seuls les signataires le disent
clock-signers = selon l'horloge de ceux qui signent la chaîne
clock-authority = selon l'autorité d'horodatage { $name }
clock-witness = selon le témoin { $name }

# Chiffres
heading-summary = En bref
tile-entries = { $count ->
    [one] entrée dans le périmètre
   *[other] entrées dans le périmètre
}
tile-changes = { $count ->
    [one] changement parmi elles
   *[other] changements parmi elles
}
tile-succeeded = { $count ->
    [one] changement réussi
   *[other] changements réussis
}
tile-failed = { $count ->
    [one] changement en échec
   *[other] changements en échec
}
tile-rolled-back = { $count ->
    [one] changement annulé ensuite
   *[other] changements annulés ensuite
}
tile-approvals = changements avec les approbations requises
tile-unplanned = { $count ->
    [one] changement exécuté sans plan
   *[other] changements exécutés sans plan
}
tile-abandoned = { $count ->
    [one] plan abandonné
   *[other] plans abandonnés
}
tile-waivers = { $count ->
    [one] dérogation à une règle
   *[other] dérogations à des règles
}
tile-drifts = { $count ->
    [one] modification du schéma hors de la chaîne
   *[other] modifications du schéma hors de la chaîne
}
tile-median = durée médiane d'un changement
tile-sealed = { $count ->
    [one] fichier scellé, dont effacé : { $erased }
   *[other] fichiers scellés, dont effacés : { $erased }
}

# Images
heading-pictures = En images
picture-timeline = Changements dans le temps
picture-durations = Durée des changements
picture-durations-under = La moitié a pris { $median } au plus, dix-neuf sur vingt { $most } au plus, la plus longue { $longest }.
picture-drift = Le schéma d'une entrée à l'autre
picture-copies = Copies et témoins
drift-same = tel que l'entrée précédente l'a laissé
drift-recorded = modifié ailleurs, constaté ici
drift-broken = modifié hors de la chaîne
drift-unknown = aucune empreinte ne le dit
copies-not-asked = Les copies n'ont pas été demandées : `--replicas` ajoute ce qu'en sait la machine qui établit le rapport.
copies-none = Aucune réplique n'est configurée là où ce rapport a été établi.
copies-witnesses = { $count ->
    [0] Aucun témoin nommé par une politique n'a cosigné cette tête.
    [one] Un témoin a cosigné cette tête.
   *[other] { $count } témoins ont cosigné cette tête.
}

# Population
heading-population = Population
population-method = Chaque entrée de la chaîne porte un numéro et son manifeste nomme le précédent. La population est l'ensemble des numéros, de la première entrée du périmètre à la dernière ; rien n'y est choisi.
population-first = Première entrée
population-last = Dernière entrée
population-count = Entrées lues
population-missing = Numéros manquants
population-none-missing = aucun
population-some-missing = manquants
population-before = Entrée précédente
population-after = Entrée suivante
population-begins = aucune : la chaîne commence ici
population-ends = aucune : la chaîne s'arrête ici
population-outside = Les entrées en italique sont entre celles du périmètre et n'en font pas partie ; elles sont comptées pour qu'aucun numéro ne soit omis.
column-entry = Entrée
column-finished = Fin (UTC)
column-event = Événement
column-version = Version
column-deployer = Exécuté par
column-approvals = Approbations
column-outcome = Issue
column-manifest = Manifeste
row-unreadable = Cette entrée est illisible.
told-sealed = scellé
told-erased = scellé, effacé depuis
told-nothing = non précisé
outcome = Issue
outcome-succeeded = réussi
outcome-failed = en échec
outcome-rolled-back = annulé ensuite
event-genesis = début
event-plan = plan
event-apply = appliqué
event-rollback = annulé
event-fail = échec
event-baseline = repris
event-stamp = marqué
event-repair = réparé
event-attach = pièce jointe
event-drift = dérive
event-trust = confiance
event-erase = effacement

# Échantillon
heading-sample = Échantillon
sample-method = Les changements sont rangés selon le SHA-256 de la graine, d'un saut de ligne et du CID du manifeste ; les premiers sont tirés. Qui a la graine tire les mêmes.
sample-seed = Graine
sample-size = Tirés
sample-drawn = { $count } sur { $of }
column-place = Rang
column-digest = SHA-256

# Fiches
heading-changes = Changements
changes-all = Une fiche par changement du périmètre.
changes-sampled = Une fiche par changement tiré.
changes-none = Il n'y a aucun changement dans ce périmètre.
entry-number = Entrée { $seq }
sheet-verified = vérifiée
sheet-findings = anomalies
part-what = Quoi
part-why = Pourquoi, et à quel effet
part-risk = Risque
part-people = Qui
part-times = Quand
part-tests = Essais
part-policy = Règles et dérogations
part-back = Retour en arrière
part-outcome = Issue
what-name = Nom
what-target = Base
what-statements = Instructions
what-no-statements = non précisées
what-rows = { $count ->
    [one] · { $count } ligne
   *[other] · { $count } lignes
}
what-files = Fichiers
what-depends = Dépend de
what-sectors = Secteurs
what-executor = Exécuté avec
what-evidence = Connu
what-build = Build
evidence-executed = exécuté par greffe lui-même
evidence-captured = vu au moment même
evidence-imported-exact = trouvé après coup, octets fixés par la somme de contrôle de l'outil
evidence-imported-weak = trouvé après coup, octets non fixés
evidence-bare = trouvé après coup, sans script
file-size = { $count ->
    [one] { $count } octet
   *[other] { $count } octets
}
file-approval = approbation
file-down = retour
file-evidence = preuve
file-notices = avis
file-output = sortie
file-rendered = SQL exécuté
file-trust = document de confiance
file-up = script
why-purpose = But
why-impact = Impact
risk-class = Classe
risk-because = Parce que
risk-lint = Contrôles
risk-high = risque élevé
risk-medium = risque moyen
risk-low = risque faible
risk-unknown = risque inconnu
lint-sealed = non consultés : aucun script en clair
lint-nothing = rien de relevé dans les scripts
lint-error = erreur
lint-warning = avertissement
lint-note = remarque
reason-removes = des lignes, colonnes ou objets sont supprimés
reason-rights = des droits ou des comptes changent
reason-lint-error = un contrôle de niveau « erreur » relève quelque chose
reason-changes-rows = des lignes existantes changent
reason-changes-objects = des objets existants changent
reason-other-statement = une instruction d'une sorte inconnue
reason-no-transaction = exécuté hors transaction
reason-no-way-back = aucun script ne l'annule
reason-lint-warning = un contrôle de niveau « avertissement » relève quelque chose
reason-adds = des objets ou des lignes sont ajoutés
reason-nothing-told = ce qui a été exécuté n'est pas dit
people-author = Auteur
people-no-plan = non consigné : exécuté sans plan
people-approvers = Approbateurs
people-nobody = personne
people-approvals = Approbations
people-counted = { $counted } sur { $needed } requises
people-key = clé { $key }
people-deployer = Exécuté par
people-another = Approuvé par un tiers, ni auteur ni exécutant
people-same = Exécuté par son auteur
people-plan = Plan
times-started = Début
times-finished = Fin
times-took = Durée
times-server = Horloge du serveur
times-source = Horloge
clock-runner = de la machine qui l'a exécuté, signée par sa clé
tests-promoted = Exécuté avant dans
tests-not-promoted = aucune autre chaîne n'est nommée
tests-hooks = Crochets
tests-no-hooks = aucun n'a été consulté
hook-allow = autorisé
hook-warn = autorisé, avec avertissement
hook-deny = refusé
hook-other = autre réponse
policy-packs = Référentiels
policy-rules = Règles
policy-none = aucun référentiel n'était en vigueur
policy-waivers = Dérogations
waivers-none = aucune
waiver-until = jusqu'au { $day }
rule-kept = respectée
rule-attested = attestée
rule-waived = dérogation
rule-broken = enfreinte
rule-attestation-required = attestation requise
rule-not-applicable = sans objet ici
rule-other = autre verdict
back-says = Documenté ainsi
back-script = Script
back-script-there = archivé
back-script-none = aucun d'archivé
back-by = Annulé par
back-reverts = Annule
outcome-error = Erreur
outcome-statement = instruction { $statement }
schema-before = Schéma avant
schema-after = Schéma après
schema-continuity = Schéma
proof-keys = Signé par la clé
proof-command = Le montrer à d'autres

# Autres entrées
heading-others = Autres entrées
others-method = Entrées de la population qui ne changent ni schéma ni lignes : plans, clés, effacements, pièces jointes.
others-none = Il n'y en a pas.
column-by = Par
column-what = Quoi
other-plans = Prévoit { $versions }.
other-trust = Document de confiance, version { $version }.
other-erases = { $count ->
    [one] Efface { $count } bloc scellé, sur la base { $basis }.
   *[other] Efface { $count } blocs scellés, sur la base { $basis }.
}
other-about = Au sujet des entrées { $entries }.

# Anomalies
heading-findings = Anomalies
findings-none = La vérification de toute la chaîne n'a rien relevé.
column-code = Code
column-established = Établi
column-holds = Tient
established-intact = Chaque octet, chaque lien et chaque étape sont ce qu'ils doivent être
established-signed = Les signatures satisfont aux documents de confiance en vigueur
established-complete = Tous les blocs étaient là
established-anchored = La chaîne est l'une de celles auxquelles le vérificateur doit se fier
established-witnessed = Des témoins ont vu la même chaîne
established-timestamped = Une autorité d'horodatage a vu la tête

# Exigences
heading-controls = Où cette page répond à ce qu'on exige des changements
controls-method = Pour les auditeurs, dans nos propres mots ; les référentiels eux-mêmes font foi.
column-asked = Exigence
column-where = Ici
column-reference = Référence
control-reason = Ce qui change et pourquoi est écrit
control-reason-where = « Quoi » et « Pourquoi, et à quel effet » de chaque fiche
control-impact = L'effet et le risque sont examinés
control-impact-where = « Pourquoi, et à quel effet » et « Risque »
control-approval = Quelqu'un d'habilité approuve avant l'exécution
control-approval-where = « Qui » : les approbations sont des signatures sur le plan, recomptées par ce rapport
control-tests = C'est essayé avant
control-tests-where = « Essais » et « Règles et dérogations »
control-back = On peut revenir en arrière, ou l'échec est traité
control-back-where = « Retour en arrière » et « Issue »
control-duties = Auteur, approbateur et exécutant ne sont pas une même personne
control-duties-where = « Qui »
control-complete = Le registre est complet et inaltéré
control-complete-where = « Population » et « Anomalies »
control-exceptions = Les exceptions sont justifiées et prennent fin
control-exceptions-where = « Règles et dérogations », changements en échec ou sans plan

# Commandes
heading-commands = Vérifier cette page
commands-method = Avec greffe et la chaîne ; rien ici n'est à croire sur parole.
command-verify = Vérifier toute la chaîne :
command-again = Refaire cette page ; elle est identique à l'octet près :
command-again-without-copies = Refaire cette page, sauf ce que l'on sait ici des copies :
command-json = Les mêmes faits, en données :
command-sample = Vérifier un rang de l'échantillon, par le CID de son manifeste :

# Limites
heading-limits = Ce que cette page ne dit pas
limit-names = Qui est derrière un pseudonyme. Le coffre du propriétaire de la chaîne le sait, et on le lui demande.
limit-approvals = Si un approbateur a regardé. Une approbation est une signature sur le plan exact qui a été exécuté.
limit-tests = Les essais hors de la chaîne, sauf chaîne de préproduction ou crochet nommés.
limit-clocks = L'heure, au-delà de ce que dit l'exécutant, sauf entre les bornes données en tête.
limit-risk = Si un risque était acceptable. Les classes suivent des règles fixes sur les sortes d'instructions et ce que relève `greffe lint`.
limit-later = Ce qui a suivi la tête donnée en haut. La plus récente se demande à qui garde la chaîne ou en témoigne.
limit-details = Les détails d'une anomalie sont en anglais, comme les codes de l'archive.
footer = Rédigé par { $program } d'après la chaîne seule. La page ne contient aucun script et ne charge rien.
