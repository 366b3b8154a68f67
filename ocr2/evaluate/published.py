"""What papers report: their tables as data, and laid out with a reader's row beside.

GOT's five tables (H. Wei et al., "General OCR Theory", arXiv 2409.01704v1, §4.2) and Fox's (C. Liu et al., "Focus
Anywhere for Fine-grained Multi-page Document Understanding", arXiv 2405.14295, §4). Those of GOT were read in two
independent transcriptions of the paper, its HTML and its PDF, which agree; those of Fox in its LaTeX as Markdown.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ocr2.evaluate.benchmark import Table
from ocr2.evaluate.run import UNASKED
from ocr2.evaluate.tables import mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ocr2.evaluate.benchmark import Cell, Mode, Scored

SUITE = {
    "edit_distance": "Edit ↓",
    "f1": "F1",
    "precision": "Prec.",
    "recall": "Recall",
    "bleu": "BLEU",
    "meteor": "METEOR",
}
"""GOT's measures, in its tables' order, with their headings."""
ROUGE = {"rouge_l_recall": "ROUGE-L R", "rouge_l_precision": "ROUGE-L P", "rouge_l": "ROUGE-L F"}
AP = {"ap_strict": "AP strict", "ap_slight": "AP slight", "ap_high": "AP high"}


@dataclass(frozen=True)
class System:
    """What was reported of one system."""

    name: str
    size: str
    """Parameters, as printed; "" where nothing is said."""
    scores: Mapping[str, Mapping[str, float]]
    """By task, then by measure."""


@dataclass(frozen=True)
class Published:
    """One published table."""

    title: str
    tasks: Mapping[str, str]
    """Their names, with what they are called in the table."""
    measures: Mapping[str, str]
    systems: tuple[System, ...]
    across: bool = False
    """Whether a system is one row, and each measure has a column for each task; else each task has rows of its own."""

    def beside(self, name: str, reached: Callable[[str, str], float | None], notes: Sequence[str] = ()) -> Table:
        """The table with the row of a reader, last of each task's."""
        systems = [*self.systems, None]
        rows: list[tuple[Cell, ...]] = []
        for tasks in [list(self.tasks)] if self.across else [[task] for task in self.tasks]:
            for system in systems:
                if system and not any(task in system.scores for task in tasks):
                    continue
                found = _reported(system) if system else reached
                head = () if self.across else (self.tasks[tasks[0]],)
                who = (system.name, system.size) if system else (name, "")
                rows.append((*head, *who, *(found(task, measure) for measure, task in product(self.measures, tasks))))
        if self.across:
            heads = [f"{heading} {self.tasks[task]}" for heading, task in product(self.measures.values(), self.tasks)]
            return Table(self.title, ("Method", "Size", *heads), tuple(rows), tuple(notes))
        return Table(self.title, ("Task", "Method", "Size", *self.measures.values()), tuple(rows), tuple(notes))


def _reported(system: System) -> Callable[[str, str], float | None]:
    return lambda task, measure: system.scores.get(task, {}).get(measure)


def means(scored: Iterable[Scored]) -> Callable[[str, str], float | None]:
    """The means of a measure over the samples of a task; of METEOR with WordNet, where it was counted so.

    None for a task of which the reader can't be asked a single sample.
    """
    by_task: dict[str, list[Scored]] = {}
    for each in scored:
        by_task.setdefault(each.item.task, []).append(each)
    by_task = {
        task: found
        for task, found in by_task.items()
        if not all(each.answer.error.startswith(UNASKED) for each in found)
    }

    def reached(task: str, measure: str) -> float | None:
        found = by_task.get(task, [])
        full = measure.replace("meteor", "meteor_wordnet")
        return mean(found, full if any(full in (each.scores or {}) for each in found) else measure)

    return reached


def notes(scored: Sequence[Scored], mode: Mode) -> list[str]:
    """Footnotes on what makes GOT's measures differ from the paper's."""
    told = []
    if mode == "published":
        told.append("Counted as the released script does: precision and recall are changed over.")
    measured = {key for each in scored for key in each.scores or {}}
    if any(key.endswith("meteor") and f"{key}_wordnet" not in measured for key in measured):
        told.append("METEOR is without WordNet; the paper's counts synonyms too.")
    return told


def _languages(tasks: Sequence[str], rows: str) -> tuple[System, ...]:
    """A line a system: its name, its size, and each measure's numbers for all the tasks; - where there is none."""
    found = []
    for line in rows.strip().splitlines():
        name, size, *numbers = _cells(line)
        scores: dict[str, dict[str, float]] = {}
        for (measure, task), number in zip(product(SUITE, tasks), numbers, strict=True):
            if number != "-":
                scores.setdefault(task, {})[measure] = float(number)
        found.append(System(name, size, scores))
    return tuple(found)


def _task_by_task(measures: Iterable[str], rows: str) -> tuple[System, ...]:
    """A line a task of a system: the task, its name, its size, and a number for each measure; - where there is none."""
    scores: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for line in rows.strip().splitlines():
        task, name, size, *numbers = _cells(line)
        found = zip(measures, numbers, strict=True)
        scores.setdefault((name, size), {})[task] = {key: float(number) for key, number in found if number != "-"}
    return tuple(System(name, size, by_task) for (name, size), by_task in scores.items())


def _cells(line: str) -> list[str]:
    *heads, numbers = (part.strip() for part in line.split("|"))
    return [*heads, *numbers.split()]


PAGES = Published(
    "Dense pages (GOT, table 1)",
    {"page-en": "en", "page-zh": "zh"},
    SUITE,
    _languages(
        ("page-en", "page-zh"),
        """
        UReader           | 7B   | .718 - .344 - .296 - .469 - .103 - .287 -
        LLaVA-NeXT        | 34B  | .430 - .647 - .573 - .881 - .478 - .582 -
        InternVL-ChatV1.5 | 26B  | .393 .265 .751 .816 .698 .784 .917 .866 .568 .622 .663 .717
        Nougat            | 250M | .255 - .745 - .720 - .809 - .665 - .761 -
        TextMonkey        | 7B   | .265 - .821 - .778 - .906 - .671 - .762 -
        DocOwl1.5         | 7B   | .258 - .862 - .835 - .962 - .788 - .858 -
        Vary              | 7B   | .092 .113 .918 .952 .906 .961 .956 .944 .885 .754 .926 .873
        Vary-toy          | 1.8B | .082 .142 .924 .914 .919 .928 .938 .907 .889 .718 .929 .832
        Qwen-VL-Plus      |      | .096 .121 .931 .895 .921 .903 .950 .890 .893 .684 .936 .828
        Qwen-VL-Max       | >72B | .057 .091 .964 .931 .955 .917 .977 .946 .942 .756 .971 .885
        Fox               | 1.8B | .046 .061 .952 .954 .957 .964 .948 .946 .930 .842 .954 .908
        GOT               | 580M | .035 .038 .972 .980 .971 .982 .973 .978 .947 .878 .958 .939
        """,
    ),
    across=True,
)

SCENE = Published(
    "Scene text (GOT, table 2)",
    {"scene-en": "en", "scene-zh": "zh"},
    SUITE,
    _languages(
        ("scene-en", "scene-zh"),
        """
        UReader           | 7B   | .568 - .661 - .843 - .569 - .258 - .488 -
        LLaVA-NeXT        | 34B  | .499 - .558 - .637 - .538 - .379 - .678 -
        TextMonkey        | 7B   | .331 - .743 - .827 - .710 - .521 - .728 -
        DocOwl1.5         | 7B   | .334 - .788 - .887 - .751 - .525 - .708 -
        InternVL-ChatV1.5 | 26B  | .267 .123 .834 .913 .942 .934 .790 .902 .587 .588 .744 .876
        Qwen-VL-Max       | >72B | .182 .168 .881 .867 .891 .878 .888 .873 .586 .572 .848 .845
        GOT               | 580M | .112 .096 .926 .928 .934 .914 .927 .954 .676 .641 .896 .928
        """,
    ),
    across=True,
)

FORMATTED = Published(
    "Formatted pages, music and geometry (GOT, table 3)",
    {
        **{"text": "All text", "formula": "Formula", "table": "Table", "prose": "Text without them"},
        **{"music": "Sheet music", "geometry": "Geometry"},
    },
    SUITE,
    _task_by_task(
        SUITE,
        """
        text     | GOT, one view | 580M | .097 .942 .944 .942 .877 .876
        formula  | GOT, one view | 580M | .269 .749 .771 .751 .512 .716
        table    | GOT, one view | 580M | .254 .867 .857 .897 .756 .760
        text     | GOT, tiles    | 580M | .086 .953 .948 .960 .896 .903
        formula  | GOT, tiles    | 580M | .159 .865 .858 .882 .628 .828
        table    | GOT, tiles    | 580M | .220 .878 .861 .919 .779 .811
        music    | GOT, one view | 580M | .046 .939 .963 .939 .900 .923
        geometry | GOT, one view | 580M | .061 .884 .882 .888 .766 .882
        """,
    ),
)

REGIONS = Published(
    "Boxes, colours and lines (GOT, table 4; lines: Fox)",
    {
        **{"box-en": "Box, en", "color-en": "Colour, en", "line-en": "Line, en"},
        **{"box-zh": "Box, zh", "color-zh": "Colour, zh", "line-zh": "Line, zh"},
    },
    SUITE,
    _task_by_task(
        SUITE,
        """
        box-en   | DocOwl1.5 | 7B   | .435 .670 .886 .617 .478 .569
        box-en   | Fox       | 1.8B | .059 .957 .962 .955 .914 .955
        box-en   | GOT       | 580M | .041 .970 .973 .969 .926 .966
        color-en | Fox       | 1.8B | .064 .940 .942 .942 .868 .938
        color-en | GOT       | 580M | .034 .966 .970 .964 .910 .961
        line-en  | Fox       | 1.8B | .116 .879 .879 .883 .845 .878
        box-zh   | Fox       | 1.8B | .042 .955 .966 .947 .885 .934
        box-zh   | GOT       | 580M | .033 .965 .974 .958 .898 .942
        color-zh | Fox       | 1.8B | .114 .884 .902 .873 .778 .848
        color-zh | GOT       | 580M | .040 .957 .969 .948 .884 .931
        line-zh  | Fox       | 1.8B | .084 .918 .931 .909 .825 .886
        """,
    ),
)

BEYOND = Published(
    "Translation, summary, caption, eight pages and questions (Fox)",
    {
        **{"translation": "Box, en to zh", "summary": "Box, summary", "caption": "Figure, caption"},
        **{"pages": "Boxes on 8 pages", "vqa": "Question on 8 pages"},
    },
    {**{name: SUITE[name] for name in ("edit_distance", "f1", "bleu", "meteor")}, **ROUGE, "accuracy": "Accuracy"},
    _task_by_task(
        ("edit_distance", "f1", "bleu", "meteor", *ROUGE, "accuracy"),
        """
        translation | Fox | 1.8B | -    -    .138 .366 -    -    -    -
        summary     | Fox | 1.8B | -    -    -    -    .261 .316 .282 -
        caption     | Fox | 1.8B | -    -    -    .359 -    -    .396 -
        pages       | Fox | 1.8B | .084 .946 .836 .805 -    -    -    -
        vqa         | Fox | 1.8B | -    -    -    -    -    -    -    .827
        """,
    ),
)

# The paper prints three of these in per cent: 53.18 (UniChart), 16.49 and 26.50 (Deplot).
CHARTQA = Published(
    "ChartQA-SE (GOT, table 5)",
    {"chartqa-se": "ChartQA-SE"},
    AP,
    _task_by_task(
        AP,
        """
        chartqa-se | Deplot   | 1.3B  | .614 .709  .729
        chartqa-se | UniChart | 0.26B | .423 .5318 .560
        chartqa-se | ChartVLM | 7.3B  | .718 .814  .842
        chartqa-se | GPT-4V   | >100B | .504 .606  .643
        chartqa-se | Qwen-VL  | >72B  | .586 .685  .727
        chartqa-se | GOT      | 0.58B | .747 .845  .867
        """,
    ),
)
PLOTQA = Published(
    "PlotQA-SE (GOT, table 5)",
    {"plotqa-se": "PlotQA-SE"},
    AP,
    _task_by_task(
        AP,
        """
        plotqa-se | Deplot   | 1.3B  | .031 .1649 .2650
        plotqa-se | UniChart | 0.26B | .105 .260  .269
        plotqa-se | ChartVLM | 7.3B  | .038 .468  .540
        plotqa-se | GPT-4V   | >100B | .073 .194  .223
        plotqa-se | Qwen-VL  | >72B  | .005 .042  .120
        plotqa-se | GOT      | 0.58B | .133 .596  .640
        """,
    ),
)
