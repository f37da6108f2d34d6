//! What a column or a key is for, by its name, in French and English. It says nothing about values.

use super::word_list::WordList;

/// What a name promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Nir,
    Ine,
    Iban,
    Card,
    Cvv,
    Birth,
    Phone,
    Mail,
    Ip,
    Secret,
    /// A person's name: tells nothing alone.
    Name,
}

/// The longest name that is looked at, in bytes.
pub(crate) const NAME: usize = 64;

impl Meaning {
    /// By the words of a name: `dateNaissance`, `date_naissance` and `DATE-NAISSANCE` are one.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        if name.is_empty() || name.len() > NAME {
            return None;
        }
        let folded = words(name);
        let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
        let last = *words.last()?;
        // `ne_le` and `born_on` end as `changed_le` and `changed_on` do.
        if is_birth(&words) {
            return Some(Self::Birth);
        }
        if is_about(last) {
            return None;
        }
        if is_secret(&words) {
            return Some(Self::Secret);
        }
        of_number(&words).or_else(|| of_person(&words))
    }
}

fn has(words: &[&str], wanted: &[&str]) -> bool {
    words.iter().any(|word| wanted.contains(word))
}

fn has_pair(words: &[&str], first: &[&str], second: &[&str]) -> bool {
    words.windows(2).any(|pair| first.contains(&pair[0]) && second.contains(&pair[1]))
}

/// Numbers of people and accounts.
fn of_number(words: &[&str]) -> Option<Meaning> {
    if has(words, &["nir", "secu", "nss", "niss", "ssn", "numsecu", "numeross", "noss", "insee"])
        || has_pair(words, &["securite", "social"], &["sociale", "security"])
        || has_pair(words, &["no", "num", "numero", "n"], &["ss"])
        || words == ["ins"]
        || has_pair(words, &["ins"], &["nir", "patient"])
    {
        return (!has(words, &["commune", "code", "naf", "cle"])).then_some(Meaning::Nir);
    }
    if has(words, &["ine", "numine"]) || has_pair(words, &["identifiant", "numero"], &["etudiant", "eleve"]) {
        return Some(Meaning::Ine);
    }
    if has(words, &["iban", "rib"]) && !has(words, &["cle"])
        || has_pair(words, &["bank", "compte"], &["account", "bancaire"])
    {
        return Some(Meaning::Iban);
    }
    if has(words, &["cvv", "cvc", "cvv2", "cvc2", "csc", "cryptogramme"])
        || has_pair(words, &["security", "verification"], &["code"])
        || has_pair(words, &["code"], &["securite", "verification"])
    {
        return Some(Meaning::Cvv);
    }
    let numbered = ["number", "num", "numero", "no", "bancaire", "credit", "bleue", "nb"];
    let card = has(words, &["pan", "ccnum", "cardnumber", "creditcard", "cb"])
        || has(words, &["card", "carte", "cc"]) && (words.len() == 1 || has(words, &numbered));
    card.then_some(Meaning::Card)
}

fn is_birth(words: &[&str]) -> bool {
    const PLACE: WordList = WordList(
        "lieu place ville city pays country commune nom name dept departement type format id required \
        verified code is min max",
    );
    const BORN: WordList = WordList(
        "naissance naiss birth birthdate birthday dob ddn datenaissance born bday dnaiss datenaiss anniversaire",
    );
    let born = BORN.has_any(words)
        || has_pair(words, &["ne", "nee"], &["le"])
        || has_pair(words, &["date"], &["nais"])
        || matches!(words, ["dnais" | "neele" | "nele" | "bdate"]);
    born && !PLACE.has_any(words)
}

fn of_person(words: &[&str]) -> Option<Meaning> {
    const NAMES: WordList =
        WordList("nom prenom firstname lastname surname fullname forename login username owner");
    const PHONE: WordList = WordList(
        "tel telephone phone mobile portable gsm fax numtel cell cellphone phonenumber telephonique \
        whatsapp msisdn",
    );
    let last = words.last().copied().unwrap_or_default();
    if PHONE.has_any(words) {
        return Some(Meaning::Phone);
    }
    if matches!(last, "email" | "mail" | "mel" | "courriel" | "emails" | "mails")
        || has_pair(words, &["email", "mail", "e"], &["address", "adresse", "mail"])
        || matches!(words.first(), Some(&("email" | "mail" | "courriel")))
    {
        return Some(Meaning::Mail);
    }
    if has(words, &["ip"]) || has_pair(words, &["adresse", "remote"], &["address", "ip", "addr"]) {
        return Some(Meaning::Ip);
    }
    let named =
        NAMES.has_any(words) || has_pair(words, &["first", "last", "full", "family", "given"], &["name"]);
    named.then_some(Meaning::Name)
}

/// Names that tell something about a secret or a number, and do not hold it.
fn is_about(last: &str) -> bool {
    const ABOUT: WordList = WordList(
        "type format algo algorithm algorithme count nombre length longueur hint policy expires expiry \
        expiration expire at on le id ids url uri name enabled required status statut version ttl \
        attempts table column label libelle description verified verifie confirmed valide country pays \
        lang pattern regex min max brand marque scope scopes usage kind method prefix rotation size \
        taille days jours idx check key_id index unique fk pk seq lifetime duration changed reset resets \
        history needed set mode form page field endpoint issuer audience domain host port",
    );
    // What a field of a form shows while it is empty is no value.
    ABOUT.has(last) || last.starts_with("placehold")
}

fn is_secret(words: &[&str]) -> bool {
    const HASHED: WordList = WordList(
        "hash hashed digest encrypted enc clair sha256 sha1 sha512 md5 bcrypt plain value valeur base",
    );
    const SECRET: WordList = WordList(
        "password passwd pwd pass passwort mdp motdepasse passphrase secret token jeton apikey authtoken \
        accesstoken clientsecret secretkey privatekey credential credentials userpassword pgpassword \
        passcode pin salt sel pw",
    );
    // `mot_de_passe_ftp`: the first words say it, whatever the last one tells of its use.
    let spoken = words.windows(3).any(|three| matches!(three, ["mot", "de", "passe"]))
        || has_pair(words, &["mot"], &["passe"]);
    let verbs =
        ["reset", "forgot", "change", "update", "reinitialiser", "oublie", "has", "is", "send", "force"];
    if matches!(words.first(), Some(first) if verbs.contains(first)) && !words.contains(&"token") {
        return false;
    }
    let Some(end) = words.iter().rposition(|word| !HASHED.has(word)) else { return false };
    let last = words[end];
    let before = end.checked_sub(1).map_or("", |at| words[at]);
    let two_before = end.checked_sub(2).map_or("", |at| words[at]);
    // A code to enter, not a pin on a map; a salt beside a hash, not table salt.
    let exact = match last {
        "pin" | "salt" | "sel" => matches!(before, "" | "code" | "password" | "user" | "hash" | "secret"),
        "pw" => matches!(before, "" | "db" | "admin" | "root" | "user" | "smtp" | "ftp"),
        _ => true,
    };
    spoken
        || SECRET.has(last) && exact
        || matches!((before, last), ("pin", "code") | ("code", "pin"))
        || is_key(two_before, before, last)
}

fn is_key(two_before: &str, before: &str, last: &str) -> bool {
    const KEYS: WordList = WordList(
        "api secret private access auth encryption signing master account hmac application app consumer \
        webhook service license signature jwt session",
    );
    const FRENCH: WordList = WordList("api privee prive secrete chiffrement");
    matches!(last, "key" | "keys") && KEYS.has(before)
        || matches!(before, "cle" | "cles" | "clef" | "clefs") && FRENCH.has(last)
        || matches!(two_before, "cle" | "clef") && before == "de" && last == "chiffrement"
        || (before, last) == ("authorization", "header")
}

/// The words of a name in small letters without accents, parted by spaces.
pub(crate) fn words(name: &[u8]) -> String {
    let mut words = String::with_capacity(name.len() + 8);
    let mut small = false;
    for character in String::from_utf8_lossy(name).chars() {
        // An accent that is a character of its own belongs to the letter before it.
        if ('\u{300}'..='\u{36f}').contains(&character) {
            continue;
        }
        if character.is_uppercase() && small {
            words.push(' ');
        }
        small = character.is_lowercase() || character.is_ascii_digit();
        match character.to_lowercase().next().unwrap_or(character) {
            'é' | 'è' | 'ê' | 'ë' => words.push('e'),
            'à' | 'â' | 'ä' | 'á' | 'ã' | 'å' => words.push('a'),
            'ô' | 'ö' | 'ó' | 'ò' | 'õ' | 'ø' => words.push('o'),
            'ç' => words.push('c'),
            'î' | 'ï' | 'í' | 'ì' => words.push('i'),
            'ù' | 'û' | 'ü' | 'ú' => words.push('u'),
            'ñ' => words.push('n'),
            'œ' => words.push_str("oe"),
            'æ' => words.push_str("ae"),
            'ß' => words.push_str("ss"),
            letter if letter.is_alphanumeric() => words.push(letter),
            _ => words.push(' '),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_the_same_in_all_spellings() {
        for (name, meaning) in [
            ("num_secu", Meaning::Nir),
            ("numéro_sécurité_sociale", Meaning::Nir),
            ("numero_ss", Meaning::Nir),
            ("dateNaissance", Meaning::Birth),
            ("DATE_OF_BIRTH", Meaning::Birth),
            ("née_le", Meaning::Birth),
            ("born_on", Meaning::Birth),
            ("date_nais", Meaning::Birth),
            ("tel_portable", Meaning::Phone),
            ("courriel", Meaning::Mail),
            ("ip_connexion", Meaning::Ip),
            ("mot_de_passe", Meaning::Secret),
            ("MOT_DE_PASSE_FTP", Meaning::Secret),
            ("password_hash", Meaning::Secret),
            ("apiKey", Meaning::Secret),
            ("consumer_key", Meaning::Secret),
            ("clef_privee", Meaning::Secret),
            ("pin_code", Meaning::Secret),
            ("SECRET_KEY_BASE", Meaning::Secret),
            ("cvv", Meaning::Cvv),
            ("card_number", Meaning::Card),
            ("prénom", Meaning::Name),
        ] {
            assert_eq!(Meaning::of(name.as_bytes()), Some(meaning), "{name}");
        }
        for name in [
            "token_type",
            "password_changed_at",
            "lieu_naissance",
            "code_insee",
            "passage",
            "card_id",
            "reset_password",
            "password_min_length",
            "map_pin",
            "updated_on",
            "",
        ] {
            assert_eq!(Meaning::of(name.as_bytes()), None, "{name}");
        }
    }
}
