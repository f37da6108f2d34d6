# Ce que les commandes disent des preuves vérifiées. Les termes tiennent dans une colonne de onze caractères.

# Termes
term-chain = chaîne
term-entry = entrée
term-key = clé
term-checkpoint = contrôle
term-signed-by = signé par
term-head = tête
term-new = nouveau
term-newest = dernière
term-made = faite
term-intact = intact
term-included = inclus
term-signed = signé
term-anchored = ancré
term-witnessed = témoigné
term-timestamped = horodaté
term-complete = complet
term-replayed = rejoué
term-live = actuel
term-cosigned = cosigné
term-fresh = récent
term-promoted = promu
term-sealed = scellé
term-from = source
term-withheld = retenu

# Événements
act-genesis = début
act-plan = plan
act-apply = application
act-rollback = annulation
act-fail = échec
act-baseline = reprise
act-stamp = marquage
act-repair = réparation
act-attach = pièce jointe
act-drift = dérive
act-trust = confiance
act-erase = effacement

# Verdicts et heures
verify-holds = vérifié
verify-fails = NON vérifié
verify-yes = oui
verify-no = non
verify-unknown-chain = chaîne inconnue
verify-findings = { $count ->
    [one] { $count } anomalie :
   *[other] { $count } anomalies :
}
made-not-before = au plus tôt { $word }
made-not-after = au plus tard { $word }
word-signers = { $at } (selon ses signataires)
word-authority = { $at } (selon l'autorité d'horodatage { $name })
word-witness = { $at } (selon le témoin { $name })

# greffe verify
verify-summary = { $verdict } : { $name }, { $entries ->
    [one] { $entries } entrée
   *[other] { $entries } entrées
}, depuis { $root }
verify-new = { $entries ->
    [one] { $entries } entrée
   *[other] { $entries } entrées
} ; les précédentes ont déjà été vérifiées ici
verify-intact = chaque octet, chaque lien et chaque étape du récit tient
verify-intact-new = chaque octet et chaque lien nouveau tient, et prolonge ce qui a déjà été vérifié ici
verify-signed = les signatures satisfont le document de confiance
verify-anchored = la chaîne est de celles auxquelles vous vous fiez ; `--require CID` l'exige
verify-witnessed = d'autres ont vu la même chaîne
verify-timestamped = une autorité d'horodatage a vu la tête
verify-complete = tous les blocs étaient là
verify-replayed = les scripts produisent le schéma signé
verify-live = la base a ce schéma en ce moment
verify-cosigned = par { $witness }, qui a vu toutes les entrées
verify-cosigned-at = par { $witness }, qui a vu toutes les entrées au plus tard { $at }
fresh-nobody = personne ne s'est porté garant de cette tête à une heure déjà passée
fresh-signers = la dernière parole sur cette tête, de ses signataires, date de { $age }
fresh-authority = la dernière parole sur cette tête, de l'autorité d'horodatage { $name }, date de { $age }
fresh-witness = la dernière parole sur cette tête, du témoin { $name }, date de { $age }
age-now = moins d'une minute
age-minutes = { $count ->
    [one] { $count } minute
   *[other] { $count } minutes
}
age-hours = { $count ->
    [one] { $count } heure
   *[other] { $count } heures
}
age-days = { $count ->
    [one] { $count } jour
   *[other] { $count } jours
}
verify-promoted = { $count ->
    [one] { $count } lien vers une autre chaîne suivi
   *[other] { $count } liens vers une autre chaîne suivis
}
verify-promoted-away = { $count ->
    [one] { $count } lien vers une autre chaîne suivi
   *[other] { $count } liens vers une autre chaîne suivis
}, sans suite : { $away }, dont la chaîne n'est pas là
verify-sealed = { $count ->
    [one] { $count } fichier
   *[other] { $count } fichiers
} : { $states }
sealed-open = { $count ->
    [one] { $count } ouvert
   *[other] { $count } ouverts
}
sealed-sealed = { $count ->
    [one] { $count } non ouvert
   *[other] { $count } non ouverts
}
sealed-erased = { $count ->
    [one] { $count } effacé
   *[other] { $count } effacés
}
sealed-lost = { $count ->
    [one] { $count } perdu
   *[other] { $count } perdus
}
sealed-tampered = { $count ->
    [one] { $count } altéré
   *[other] { $count } altérés
}
sealed-missing = { $count ->
    [one] { $count } manquant
   *[other] { $count } manquants
}
verify-from = { $name } ({ $blocks ->
    [one] { $blocks } bloc
   *[other] { $blocks } blocs
})
verify-from-fault = { $name } ({ $blocks ->
    [one] { $blocks } bloc
   *[other] { $blocks } blocs
}) : { $fault }
verify-fork = les deux versions sont signées par les clés de la chaîne elle-même ; pour le montrer à d'autres :

# greffe verify-evidence
evidence-summary = { $verdict } : { $name }, entrée { $seq }, { $event }, { $at }
evidence-summary-version = { $verdict } : { $name }, entrée { $seq }, { $event } de la version { $version }, { $at }
evidence-unreadable = { $verdict } : { $name }, une entrée illisible
evidence-stolen = { $key }, dite volée depuis l'entrée { $since }
evidence-stolen-after = { $key }, dite volée depuis l'entrée { $since } ; cette entrée-ci est antérieure
evidence-retired = { $key }, dite retirée depuis l'entrée { $since }
evidence-retired-after = { $key }, dite retirée depuis l'entrée { $since } ; cette entrée-ci est antérieure
evidence-checkpoint = { $entries ->
    [one] { $entries } entrée
   *[other] { $entries } entrées
}, racine { $root }
evidence-intact = chaque bloc, la déclaration et le paquet sont ceux de l'entrée
evidence-included = elle est dans l'arbre du point de contrôle, comme les documents de confiance
evidence-signed = l'entrée et le point de contrôle sont signés comme l'exigent les documents de confiance
evidence-anchored = la chaîne, une clé racine ou la tête est de celles auxquelles vous vous fiez
evidence-witnessed = ce que d'autres ont vu à cette taille est ce même arbre
evidence-timestamped = une autorité d'horodatage a vu le point de contrôle
evidence-cosigned = par { $witness }, qui a vu le point de contrôle
evidence-cosigned-at = par { $witness }, qui a vu le point de contrôle au plus tard { $at }
evidence-withheld = fichier scellé { $cid }
evidence-open = ce que cette preuve n'établit pas :
open-anchored = que cette chaîne est celle dont vous parlez ; `--require ANCHOR` l'exige
open-other-trust = qu'aucun autre document de confiance n'est venu entre ceux qui sont montrés, ou après eux : il pourrait dire volée une clé qui a signé ceci
open-other-entries = ce que disent les autres entrées : si cette migration a été annulée, ou si le récit se contredit
open-one-tree = que les signataires montrent à tous le même arbre : aucune politique n'exige de cosignatures qui soient là
open-time = quand cela s'est passé : les heures sont celles des signataires, aucun horodatage ni cosignature valide n'est postérieur
open-sealed = ce que contiennent ses fichiers scellés

# greffe log
log-entry = entrée { $seq } { $manifest }
log-event = Événement :
log-date = Date :
log-actor = Acteur :
log-key = Clé :
log-target = Base :
log-purpose = But :
log-impact = Impact :

# greffe report --out
written-file = écrit dans { $file } : { $bytes ->
    [one] { $bytes } octet
   *[other] { $bytes } octets
}, sha256 { $digest }
written-complete = aucune entrée ne manque
written-missing = des entrées MANQUENT
written-range = entrées { $first } à { $last }
written-none = aucune entrée
written-summary = { $verdict }, { $complete } : { $range }, dont dans le périmètre { $entries }, { $changes ->
    [one] { $changes } changement
   *[other] { $changes } changements
}, { $sheets ->
    [one] { $sheets } fiche
   *[other] { $sheets } fiches
}
