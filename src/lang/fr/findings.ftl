# Ce que la vérification relève, par code. Les variables sont les membres que donne `--json`.

finding-block-corrupt = Les octets du bloc ne donnent pas son CID.
finding-block-missing = Le bloc manque.
finding-car-damaged = Le fichier cesse d'être un fichier CARv1 à l'octet { $offset } : { $detail }
finding-car-block-corrupt = Le bloc à l'octet { $offset } n'est pas celui que son CID désigne.
finding-malformed = Élément mal formé ({ $what }) : { $detail }
finding-seq-gap = Le manifeste se dit l'entrée { $found } et occupe la place de l'entrée { $expected }.
finding-link-differs = « { $member } » vaut { $found } et non { $expected }.
finding-statement-differs = « { $member } » de la déclaration n'est pas celui du manifeste.
finding-subjects-differ = Les sujets de la déclaration ne sont pas les fichiers du manifeste : { $detail }
finding-duplicate-event = L'événement { $id } est archivé deux fois.
finding-bad-signature = La signature par la clé { $keyid } ne porte pas sur ceci.
finding-threshold = Signatures valides dans le rôle « { $role } » : { $counted } sur { $needed } ; par des clés révoquées : { $revoked }, par des clés inconnues : { $unknown }.
finding-compromised = La clé { $keyid }, volée depuis l'entrée { $since } selon l'entrée { $entry }, l'a signée ; sans elle, trop peu de clés l'ont fait.
finding-approver-compromised = La clé { $keyid }, volée depuis l'entrée { $since } selon l'entrée { $entry }, l'a approuvée ; sans elle, trop peu de personnes l'ont fait.
finding-no-trust = Aucun document de confiance n'est en vigueur : aucune signature ne compte.
finding-trust-version = La version du document de confiance est { $found } et non { $expected }.
finding-event-order = Un événement « { $event } » à l'entrée { $seq } : une chaîne commence par « genesis » et n'en a pas de second.
finding-file-digest = { $name } n'a pas l'empreinte annoncée : { $found } et non { $expected }.
finding-file-size = La taille de { $name } en octets est { $found } et non { $expected }.
finding-file-layout = { $name } est découpé en d'autres blocs que ceux du profil.
finding-sealing = { $name } : { $detail }
finding-sealed-lost = { $name } est scellé et sa clé a disparu, sans que rien dise qu'il a été effacé.
finding-sealed-key-damaged = { $name } est scellé et sa clé est illisible : le coffre est endommagé.
finding-erased-but-opens = { $name } est effacé, selon la chaîne, et une clé l'ouvre.
finding-sealed-tampered = { $name } n'est pas ce qui a été scellé : { $detail }
finding-applied-twice = La version { $version } est appliquée de nouveau alors qu'elle l'est déjà.
finding-not-applied = La version { $version } est annulée alors qu'elle n'est pas appliquée.
finding-approvals-missing = Approbations qui comptent : { $counted } sur { $needed }. { $refused }
finding-plan-differs = Le plan n'est pas ce que le journal en dit : { $detail }
finding-unplanned = La version { $version } a été exécutée sans plan ; approbations exigées par le document de confiance : { $needed }.
finding-not-as-planned = La version { $version } est dite exécutée selon le plan { $plan } : { $detail }
finding-promotion-differs = La version { $version } est dite promue depuis { $from } : { $detail }
finding-outcome-differs = Un événement « { $event } » dit : { $outcome }
finding-schema-changed = Le schéma a changé hors de l'archive : il était { $expected } et il est { $found }.
finding-ends-before-start = Elle finit à { $finishedAt }, avant de commencer à { $startedAt }.
finding-time-backwards = Le temps recule : { $found } après { $earlier }.
finding-head-differs = « { $member } » de la tête n'est pas ce que donnent les manifestes : { $found } et non { $expected }.
finding-tile-surplus = L'arbre a { $path }, qu'un arbre de cette taille n'a pas.
finding-tile-missing = Il manque { $path } à l'arbre.
finding-tile-differs = { $path } n'est pas ce que donnent les manifestes.
finding-checkpoint-differs = « { $member } » du point de contrôle vaut { $found } et non { $expected }.
finding-checkpoint-unsigned = Aucune clé habilitée à signer des entrées n'a signé le point de contrôle.
finding-not-included = Rien ne prouve qu'elle est dans l'arbre du point de contrôle : { $reason }
finding-evidence-differs = { $what } n'est pas celui de l'entrée : { $detail }
finding-entries-shape = L'arbre des entrées : { $detail }
finding-not-anchored = La chaîne est { $chain }, à laquelle ce vérificateur n'a pas été invité à se fier.
finding-rolled-back = Raccourcie : une tête de cette chaîne avec plus d'entrées ({ $seen } et non { $found }) a déjà été vérifiée, { $newest }.
finding-forked = Bifurcation : l'entrée { $entry } n'est pas celle qui a déjà été vérifiée, { $expected }.
finding-tree-forked = Bifurcation : l'arbre des premières entrées ({ $entries }) n'est pas celui qui a déjà été vérifié, { $expected }.
finding-policy-malformed = La politique de témoins { $whose ->
    [trust-document] du document de confiance
   *[verifier] du vérificateur
} est illisible : { $detail }
finding-cosignature-invalid = La cosignature du témoin { $witness } ({ $vkey }) ne porte pas sur ce point de contrôle.
finding-quorum-unmet = Trop peu de témoins ont cosigné le point de contrôle selon la politique { $whose ->
    [trust-document] du document de confiance
   *[verifier] du vérificateur
}. L'ont fait : { $cosigned }. Ne l'ont pas fait : { $missing }.
finding-replay = Les scripts ne peuvent pas être rejoués jusqu'au schéma signé : { $reason }
finding-hook-verdict-differs = Le crochet « { $hook } » ne répond pas ce que l'entrée dit qu'il a répondu : { $detail }
finding-policy-verdict-differs = Les référentiels ne disent pas ce que l'entrée dit qu'ils ont dit : { $detail }
finding-live-schema = Le schéma de la base est { $found }, et le dernier signé est { $expected }.
finding-timestamp = Le jeton d'horodatage { $token } ne prouve rien : { $reason ->
    [other-bytes] il porte sur d'autres octets que la signature du point de contrôle
    [other-request] il répond à une autre demande
    [other-content] ce que dit l'autorité n'est pas ce qui a été signé
    [no-certificate] le certificat de son signataire n'y est pas
    [purpose] son certificat n'est pas réservé à l'horodatage
    [signature] sa signature n'est pas celle de son certificat
    [window] un certificat ne valait pas à cette heure
    [other-authority] aucune autorité du document de confiance n'en répond
    [early] son heure précède la fin de la dernière entrée
   *[malformed] il n'est pas tel que le décrit la RFC 3161
}.
finding-timestamps-too-many = La tête a plus de jetons d'horodatage qu'on n'en examine : { $count }.
