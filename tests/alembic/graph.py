"""Prints what Alembic itself makes of a folder of revisions: for each revision what it succeeds and needs, and the heads.

    graph.py FOLDER [VERSIONS ...]

Revisions import and define what only their program can. Of each file Alembic is given the names that make the graph, run
by Python itself; modules that this Python has not are made up.
"""

import ast
import importlib.abc
import importlib.machinery
import json
import pathlib
import sys
import types

from alembic.config import Config
from alembic.script import ScriptDirectory, base

NAMES = {"revision", "down_revision", "branch_labels", "depends_on"}


class Nothing(types.ModuleType):
    """A module of a program that is not here; its constants are their own names."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name.lower() if name.isupper() else Nothing(name)


class MadeUp(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Any module that cannot be found."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Nothing(spec.name)

    def exec_module(self, module):
        pass


def counts(node):
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return any(isinstance(target, ast.Name) and target.id in NAMES for target in targets)


def load(folder, name):
    path = pathlib.Path(folder, name)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if counts(node)]
    module = types.ModuleType(path.stem)
    exec(compile(tree, str(path), "exec"), module.__dict__)
    return module


def main(folder, *versions):
    sys.meta_path.append(MadeUp())
    base.util.load_python_file = load
    config = Config()
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "newline")
    if versions:
        config.set_main_option("version_locations", "\n".join(versions))
    scripts = ScriptDirectory.from_config(config)
    graph = {}
    for revision in scripts.revision_map._revision_map.values():
        if revision is not None:
            parents = {*revision._versioned_down_revisions, *revision._resolved_dependencies}
            graph[revision.revision] = sorted(parents)
    json.dump({"graph": graph, "heads": sorted(scripts.get_heads())}, sys.stdout)


main(*sys.argv[1:])
