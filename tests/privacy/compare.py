"""Looks for secrets and people in the corpus with other scanners too, and prints what each of them finds.

    compare.py GREFFE

GREFFE is the program. A line counts as found when a scanner names it, by whatever rule: each has rules of its own. All
run as they come; Presidio with its patterns alone, since its language models are a download of another kind.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parent
# Rules about people; all others are about what opens something.
PERSONAL = {
    "birth-date", "card-cvv", "email", "fr-ine", "fr-nir", "home-directory", "iban", "ip-address", "payment-card", "phone"
}


def files():
    return [path for folder in ("found", "schema") for path in sorted((CORPUS / folder).iterdir())]


def planted(personal):
    """Files and lines of the truth that are about people, or about secrets."""
    lines = map(json.loads, (CORPUS / "truth.jsonl").read_text().splitlines())
    return {(line["file"], line["line"]) for line in lines if (line["rule"] in PERSONAL) == personal}


def greffe(program):
    def find(path):
        run = subprocess.run([program, "scan", "--json", path], capture_output=True, text=True, check=False)
        for file in json.loads(run.stdout)["files"]:
            yield from (finding["line"] for finding in file["findings"])

    return find


def detect_secrets(path):
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings

    with default_settings():
        secrets = SecretsCollection()
        secrets.scan_file(str(path))
        return [secret.line_number for _, secret in secrets]


def credsweeper(path):
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        command = [sys.executable, "-m", "credsweeper", "--path", path, "--save-json", out]
        subprocess.run(command, capture_output=True, check=True)
        found = json.loads(out.read_text())
        return [line["line_num"] for one in found for line in one["line_data_list"]]


def presidio():
    import spacy
    import tldextract

    # It would fetch a list of domains; it brings one.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class NoModel(SpacyNlpEngine):
        def __init__(self):
            super().__init__(models=[{"lang_code": "en", "model_name": "none"}])
            self.nlp = {"en": spacy.blank("en")}

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    engine = AnalyzerEngine(nlp_engine=NoModel(), registry=registry, supported_languages=["en"])

    def find(path):
        text = path.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.split("\n"), 1):
            if engine.analyze(line, language="en"):
                yield number

    return find


def main():
    secrets, people = planted(False), planted(True)
    scanners = {
        "greffe": greffe(sys.argv[1]),
        "detect-secrets": detect_secrets,
        "CredSweeper": credsweeper,
        "Presidio": presidio(),
    }
    print(f"{'lines':<16}{'secrets':>10}{'people':>10}{'nothing':>10}{'schema':>10}")
    print(f"{'planted':<16}{len(secrets):>10}{len(people):>10}{'':>10}{0:>10}")
    for scanner, find in scanners.items():
        found = {(path.relative_to(CORPUS).as_posix(), line) for path in files() for line in find(path)}
        nothing = found - secrets - people
        schema = sum(file.startswith("schema/") for file, _ in nothing)
        print(f"{scanner:<16}{len(found & secrets):>10}{len(found & people):>10}{len(nothing):>10}{schema:>10}")


if __name__ == "__main__":
    main()
