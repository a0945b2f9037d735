"""Tasks on functions of the standard library: their signatures, their code, and the first sentence about them."""

import ast
from collections.abc import Iterator
from itertools import groupby
from textwrap import indent

from ..labelled import Example
from .library import Function, PythonTask, all_functions, chance, first_sentence, functions, group_of, signature


class DescribedFunctions(PythonTask):
    """`text`: a sentence, `pair`: a signature, `label`: whether the sentence describes it.

    Half of the sentences are of another function of the same module: the next one that was chosen.
    """

    def class_names(self) -> list[str]:
        return ["no", "yes"]

    def _examples(self) -> Iterator[Example]:
        for module, rows in groupby(functions(), key=lambda row: row[0].module):
            found = [(each.name, first_sentence(each.text), signature(node)) for each, node in rows]
            swapped = [place for place, row in enumerate(found) if chance("swap", row[0]) < 0.5]
            if len(swapped) == 1:  # nothing to swap it with
                swapped = []
            other = dict(zip(swapped, swapped[1:] + swapped[:1], strict=True))
            for place, (name, own, call) in enumerate(found):
                sentence = found[other.get(place, place)][1]
                fields = {"text": sentence, "pair": call, "label": "yes" if sentence == own else "no"}
                yield Example(name, fields, group=group_of(module))


class SignatureDefaults(PythonTask):
    """`question`: what is the default of a parameter? `context`: a signature. `answers`: the default, other than None.

    Of signatures with two such defaults or more, so that the question must be read.

    unanswerable: also ask for a parameter without a default, which has no answer, of each function that has one
    """

    def __init__(self, unanswerable: bool = False) -> None:
        self.unanswerable = unanswerable

    def settings(self) -> list[object]:
        return [self.unanswerable]

    def _examples(self) -> Iterator[Example]:
        seen: set[str] = set()
        for module, qualified, node in all_functions():
            context = signature(node)
            found = list(_defaults(context))
            if sum(default is not None for _, default, _ in found) < 2:
                continue
            for parameter, default, start in found:
                name = f"{qualified}, {parameter}"
                answers = [] if default is None else [{"text": default, "start": start}]
                if not {name, f"{parameter} of {context}"} & seen and (answers or self.unanswerable):
                    seen |= {name, f"{parameter} of {context}"}
                    fields = {"question": f"what is the default of {parameter}?", "context": context}
                    yield Example(name, fields | {"answers": answers, "id": name}, group=group_of(module))


def _defaults(call: str) -> Iterator[tuple[str, str | None, int]]:
    """(parameter, its default, where that stands in the signature); of those without a default only the last."""
    prefix = "def "
    node = ast.parse(f"{prefix}{call}: 0").body[0]
    assert isinstance(node, Function)
    arguments = [*node.args.posonlyargs, *node.args.args]
    lacking = len(arguments) - len(node.args.defaults)
    given = [*([None] * lacking), *node.args.defaults, *node.args.kw_defaults]
    without = None
    for argument, default in zip([*arguments, *node.args.kwonlyargs], given, strict=True):
        if default is None:
            without = argument.arg if argument.arg not in ("self", "cls") else without
        elif not (isinstance(default, ast.Constant) and default.value is None):
            yield argument.arg, ast.unparse(default), default.col_offset - len(prefix)
    if without is not None:
        yield without, None, -1


class CodeSummaries(PythonTask):
    """`source`: the body of a function without its docstring; `target`: the first sentence of that docstring.

    Of functions with 2 to 40 lines, and sentences of 4 words or more.
    """

    def _examples(self) -> Iterator[Example]:
        for each, node in functions():
            target, body = first_sentence(each.text), node.body[1:]
            source = indent("\n".join(ast.unparse(statement) for statement in body), "    ")
            if 1 <= source.count("\n") < 40 and len(target.split()) >= 4:
                fields = {"source": f"def {signature(node)}:\n{source}", "target": target}
                yield Example(each.name, fields, group=group_of(each.module))
