//! What a command line asks of a tool, as far as it says so plainly. A word counts only where the tool itself would read
//! it as its command or its flag: the value of an option, a message, a file's name never does.

/// How a tool is called.
pub struct Calls {
    /// Names of its programs, each with the words that stand before its commands, such as `db` after `flask`.
    pub programs: &'static [(&'static str, &'static [&'static str])],
    /// Commands that run scripts.
    pub runs: &'static [&'static str],
    /// Commands that write the history and run nothing.
    pub stamps: &'static [&'static str],
    /// Flags that make one of the former one of the latter.
    pub flags: &'static [&'static str],
    /// Which options take the next word as their value.
    pub valued: Valued,
    /// Whether it takes several commands, one after another.
    pub several: bool,
}

/// Options that take the next word as their value.
pub enum Valued {
    These(&'static [&'static str]),
    /// Each that has no `=` in it.
    All,
}

impl Calls {
    /// Of a tool that has no command which only writes its history.
    pub const NONE: Self = Self {
        programs: &[],
        runs: &[],
        stamps: &[],
        flags: &[],
        valued: Valued::These(&[]),
        several: false,
    };

    /// Whether a command line writes the history and runs nothing; `None` where that is not plain.
    #[must_use]
    pub fn stamps(&self, command: &[String]) -> Option<bool> {
        alike(simple_commands(command).iter().filter_map(|words| self.says(words)))
    }

    /// What one command says.
    fn says(&self, words: &[String]) -> Option<bool> {
        let mut places = words.iter().enumerate();
        places.find_map(|(place, word)| {
            let group = self.program(word)?;
            let own = self.plain(words.get(place + 1..)?);
            // What runs it may be called like it: a service, an image.
            let (_, first) = own.first()?;
            self.program(first).is_none().then(|| self.asks(words.get(place + 1..)?, &own, group))
        })?
    }

    /// `own`: words that are no options and no values of one, with their places.
    fn asks(&self, words: &[String], own: &[(usize, &String)], group: &[&str]) -> Option<bool> {
        let in_group = own.len() > group.len() && own.iter().zip(group).all(|((_, word), name)| word == name);
        let commands = own.get(group.len()..).filter(|_| in_group)?;
        let says = |(place, word): &(usize, &String)| match word.as_str() {
            word if self.stamps.contains(&word) => Some(true),
            word if self.runs.contains(&word) => Some(self.has_flag(words.get(*place..)?)),
            _ => None,
        };
        alike(commands.iter().take(if self.several { usize::MAX } else { 1 }).filter_map(says))
    }

    fn has_flag(&self, words: &[String]) -> bool {
        let mut before: Option<&String> = None;
        words.iter().take_while(|word| *word != "--").any(|word| {
            let is_value = before.replace(word).is_some_and(|before| self.takes_value(before));
            !is_value && self.flags.contains(&word.as_str())
        })
    }

    fn plain<'a>(&self, words: &'a [String]) -> Vec<(usize, &'a String)> {
        let (mut plain, mut is_value) = (Vec::new(), false);
        for (place, word) in words.iter().enumerate() {
            let is_option = word.len() > 1 && word.starts_with('-');
            if !is_value && !is_option {
                plain.push((place, word));
            }
            is_value = is_option && self.takes_value(word);
        }
        plain
    }

    fn takes_value(&self, word: &str) -> bool {
        match self.valued {
            Valued::These(options) => options.contains(&word),
            Valued::All => word.starts_with('-') && !word.contains('='),
        }
    }

    /// The words before the commands of the program that this is: by its name, its path, or as an image of it.
    fn program(&self, word: &str) -> Option<&'static [&'static str]> {
        let untagged = word.rsplit_once([':', '@']).map_or(word, |(name, _)| name);
        let bare = word.strip_suffix(".exe").or_else(|| word.strip_suffix(".bat"));
        let is = |name: &str| {
            let ends = |word: &str| {
                word.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with(['/', '\\']))
            };
            [Some(word), Some(untagged), bare].into_iter().flatten().any(ends)
        };
        self.programs.iter().find(|(name, _)| is(name)).map(|(_, group)| *group)
    }
}

/// What all say; `None` where they differ, or nobody says anything.
fn alike(mut said: impl Iterator<Item = bool>) -> Option<bool> {
    let first = said.next()?;
    said.all(|other| other == first).then_some(first)
}

/// The commands that a command line runs: of a shell with `-c` those that it is given.
#[must_use]
pub fn simple_commands(command: &[String]) -> Vec<Vec<String>> {
    match shell_script(command) {
        Some(script) => split(script),
        None => vec![command.to_vec()],
    }
}

fn shell_script(command: &[String]) -> Option<&str> {
    let is_shell = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or(word);
        ["sh", "bash", "dash", "zsh", "ash"].contains(&name)
    };
    let mut words = command.iter().skip_while(|word| !is_shell(word)).skip(1);
    loop {
        let word = words.next()?;
        if word == "-o" || word == "+o" {
            words.next();
        } else if !word.starts_with('-') {
            return None;
        } else if !word.starts_with("--") && word.ends_with('c') {
            return words.next().map(String::as_str);
        }
    }
}

/// Splits the text of a shell into commands and words; what it would fill in stays as it is written.
fn split(script: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut quote = None;
    let mut letters = script.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(end), _) if letter == end => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(letter),
            (_, '\\') => word.get_or_insert_default().extend(letters.next()),
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (None, '#') if word.is_none() => {
                letters.find(|letter| *letter == '\n');
                commands.push(std::mem::take(&mut words));
            }
            (None, ';' | '&' | '|' | '\n' | '(' | ')') => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    commands.push(words);
    commands
}

#[cfg(test)]
mod tests {
    use crate::scripts::tools::tool_named;

    /// What a command line says, its words between single spaces but for a last one behind ` ¦ `.
    fn says(tool: &str, line: &str) -> Option<bool> {
        let (words, last) = line.split_once(" ¦ ").map_or((line, None), |(words, last)| (words, Some(last)));
        let words: Vec<String> = words.split(' ').chain(last).map(str::to_owned).collect();
        tool_named(tool).unwrap().calls().stamps(&words)
    }

    #[test]
    fn commands_and_flags_of_the_tool_itself_count() {
        for (tool, line) in [
            ("alembic", "alembic -c stamp.ini stamp head"),
            ("alembic", "python -m flask --app shop db -d folder stamp 5a0c"),
            ("alembic", "docker compose -f prod.yml run --rm web flask db stamp head"),
            ("alembic", "/bin/sh -ec ¦ cd app; FLASK_APP=shop flask db stamp head"),
            ("alembic", "docker exec web bash -o pipefail -c ¦ alembic stamp 'a b' && flask db stamp x"),
            ("atlas", "atlas migrate set 1"),
            ("golang-migrate", "docker run migrate/migrate:4 -path up -database x force 3"),
            ("prisma", "npx prisma migrate resolve --applied 1"),
            ("flyway", "flyway -url=x baseline info"),
            ("flyway", "docker run flyway/flyway:10 -configFiles=migrate repair"),
            ("yoyo", "yoyo -d x mark"),
            ("django", "./manage.py migrate shop 0002 --fake"),
            ("refinery", "docker compose -f prod.yml run refinery refinery migrate -c x.toml -f"),
            ("sqlx", "sqlx migrate override 1"),
            ("liquibase", "liquibase --changelog-file update changelog-sync"),
            ("liquibase", "liquibase --url=x clearCheckSums"),
            ("typeorm", "node ./node_modules/typeorm/cli.js migration:run -d x.ts -f"),
            ("node-pg-migrate", "npx node-pg-migrate up --fake"),
        ] {
            assert_eq!(says(tool, line), Some(true), "{line}");
        }
    }

    #[test]
    fn words_that_mean_something_else_do_not() {
        for (tool, line, said) in [
            ("alembic", "alembic -x stamp upgrade stamp", Some(false)),
            ("alembic", "flask db -d stamp upgrade", Some(false)),
            ("alembic", "flask db revision -m stamp", None),
            ("alembic", "flask stamp", None),
            ("alembic", "./deploy stamp", None),
            ("alembic", "sh stamp.sh -c stamp", None),
            ("alembic", "sh -c ¦ flask db revision -m 'x; flask db stamp' # flask db stamp", None),
            ("alembic", "sh -c ¦ flask db upgrade && flask db stamp head", None),
            ("golang-migrate", "migrate -path force up", Some(false)),
            ("prisma", "prisma migrate deploy --schema resolve", Some(false)),
            ("flyway", "docker compose -f repair run flyway migrate", Some(false)),
            ("flyway", "flyway baseline migrate", None),
            ("django", "python manage.py migrate --fake-initial", Some(false)),
            ("django", "python manage.py migrate --database --fake", Some(false)),
            ("django", "python manage.py makemigrations -n --fake", None),
            ("refinery", "docker compose -f prod.yml run refinery migrate", Some(false)),
            ("refinery", "tail -f refinery", None),
            ("liquibase", "liquibase --contexts clear-checksums update", Some(false)),
            ("typeorm", "npx -f typeorm migration:run", Some(false)),
            ("node-pg-migrate", "echo --fake", None),
            ("dbmate", "dbmate up", None),
        ] {
            assert_eq!(says(tool, line), said, "{line}");
        }
    }
}
