"""Charts invented: data of a corpus, or numbers at random with labels that charts have; texts need not relate.

What is invented can be drawn and read: texts are short, values are multiples of what a reader sees on an axis, or few
enough to be printed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

from ocr2.characters.chart.data import Chart
from ocr2.errors import BadInput
from ocr2.renderers.figure import draws, number, step
from ocr2.renderers.fonts import faces

if TYPE_CHECKING:
    from random import Random

    from ocr2.characters import Corpus

Language = Literal["en", "zh"]
MOST_LABELS, MOST_SERIES, MOST_VALUES = 24, 5, 60
LEVELS = 100
"""How many steps of the largest value can be told apart on an axis."""
_ODD = re.compile(r"[^ !#$%&'()*+,\-./0-9:;<=>?@A-Z\[\]_a-z|~\u00c0-\u00ff\u4e00-\u9fff，、：（）《》]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_MONTHS = "January,February,March,April,May,June,July,August,September,October,November,December"
_DAYS = "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"
_THINGS: dict[Language, str] = {
    "en": "Sales Revenue Profit Population Temperature Rainfall Exports Imports Visitors Users Orders Students Price "
    "Cost Output Income Weight Height Speed Score Votes Area Energy Emissions Production Consumption Growth Accuracy "
    "Loss",
    "zh": "销售额 收入 利润 人口 气温 降水量 出口额 进口额 游客数 用户数 订单量 学生人数 价格 成本 产量 工资 重量 "
    "高度 速度 得分 票数 面积 能耗 排放量 产值 消费量 增长率 准确率 投资额",
}
_NAMES: dict[Language, str] = {
    "en": "China India USA Japan Germany Brazil France Canada Spain Mexico Egypt Kenya Chile Norway Poland Turkey "
    "Vietnam London Paris Tokyo Berlin Madrid Rome Cairo Lima Oslo Apples Pears Rice Wheat Corn Coal Gas Oil Wind "
    "Solar Hydro Men Women Urban Rural North South East West Online Retail Other",
    "zh": "北京 上海 广州 深圳 天津 重庆 成都 武汉 杭州 南京 西安 苏州 长沙 青岛 中国 美国 日本 德国 法国 印度 "
    "巴西 加拿大 苹果 香蕉 大米 小麦 玉米 煤炭 石油 天然气 风电 水电 核电 男 女 城镇 农村 东部 西部 中部 线上 "
    "线下 其他",
}
_OFFICES: dict[Language, str] = {
    "en": "World Bank|IMF|Eurostat|OECD|Census Bureau|Statista|Company reports|Ministry of Finance|Own survey, 2019|"
    "UN Data",
    "zh": "国家统计局|世界银行|海关总署|财政部|中国人民银行|公司年报|问卷调查|教育部|卫生健康委员会",
}


def invented(corpus: Corpus, rng: Random) -> Chart:
    """A chart of the corpus's data, or one made up. Raises BadInput where the corpus has no text."""
    kind = rng.random()
    if kind < 0.3 and corpus.has("chart"):
        return _of_chart(json.loads(corpus.item(rng, "chart")), corpus, rng)
    if kind < 0.45 and corpus.has("table"):
        found = _of_table(json.loads(corpus.item(rng, "table")), corpus, rng)
        if found:
            return found
    return _made_up(corpus, rng)


# --- of a corpus ------------------------------------------------------------------------------------------------------


def _of_chart(data: Any, corpus: Corpus, rng: Random) -> Chart:
    """The chart that the corpus has, cut to what can be read."""
    series = {short(str(name), 20): row for name, row in list(data["series"].items())[: rng.randint(1, MOST_SERIES)]}
    series.pop("", None)
    rows = {name: {short(str(x), 24): float(y) for x, y in row.items()} for name, row in series.items()}
    common = [label for label in next(iter(rows.values()), {}) if label and all(label in row for row in rows.values())]
    if len(common) < 2 or not rows:
        return _made_up(corpus, rng)
    start = rng.randrange(max(1, len(common) - 3))
    common = common[start : start + min(rng.randint(3, MOST_LABELS), MOST_VALUES // len(rows))]
    kept = {name: {label: row[label] for label in common} for name, row in rows.items()}
    if len(kept) == 1 and rng.random() < 0.8:
        kept = {"": next(iter(kept.values()))}
    texts = [short(data.get(text) or "", most) for text, most in (("title", 90), ("x_title", 40), ("y_title", 40))]
    return Chart(texts[0], _source(corpus, rng, "en"), texts[1], texts[2], _readable(kept, rng))


def _of_table(data: Any, corpus: Corpus, rng: Random) -> Chart | None:
    """A chart of a table's first column and of those with numbers; None where it has none."""
    head, *rows = data["rows"]
    rows = [row for row in rows if len(row) == len(head)]
    columns: dict[str, list[float]] = {}
    for place, name in enumerate(head[1:], 1):
        cells = [re.sub(r"[,%$\s]", "", str(row[place])) for row in rows]
        if short(str(name), 20) and cells and all(re.fullmatch(r"-?\d{1,9}(\.\d{1,4})?", cell) for cell in cells):
            columns[short(str(name), 20)] = [float(cell) for cell in cells]
    labels = [short(str(row[0]), 24) for row in rows]
    if not columns or len(labels) < 2 or len(set(labels)) < len(labels) or "" in labels:
        return None
    names = list(columns)[: rng.randint(1, 3)]
    count = min(rng.randint(3, 12), len(labels))
    series = {name: dict(zip(labels[:count], columns[name], strict=False)) for name in names}
    if len(names) == 1 and rng.random() < 0.5:
        series = {"": series[names[0]]}
    y_title = names[0] if "" in series else ""
    return Chart(short(str(data.get("title") or ""), 90), "", short(str(head[0]), 40), y_title, _readable(series, rng))


def short(text: str, most: int) -> str:
    """The text as a chart can show it: what every font has, cut after a word to so many characters."""
    text = " ".join(_ODD.sub(" ", text).split())
    face = faces("han" if _HAN.search(text) else "sans")[0]
    text = "".join(char for char in text if draws(face, char))
    if sum(2 if _HAN.match(char) else 1 for char in text) > most:
        text = text[: most // 2] if _HAN.search(text) else text[: most + 1].rpartition(" ")[0]
    return text.strip(" ,.:;-、，：")


# --- made up ----------------------------------------------------------------------------------------------------------


def _made_up(corpus: Corpus, rng: Random) -> Chart:
    languages: list[Language] = ["en", "zh"]
    language: Language = rng.choice(languages)
    kind = rng.choices(("flat", "nested", "shares", "points"), (35, 35, 15, 15))[0]
    if kind == "points":
        series = _points(corpus, rng, language)
    elif kind == "shares":
        labels = _labels(corpus, rng, language, rng.randint(2, 8))
        series = {"": dict(zip(labels, _shares(rng, len(labels)), strict=True))}
    else:
        names = (
            [""] if kind == "flat" else _labels(corpus, rng, language, rng.choice((1, 2, 2, 3, 3, 4, 5)), names=True)
        )
        most = MOST_LABELS if rng.random() < 0.15 else 10
        labels = _labels(corpus, rng, language, rng.randint(2, min(most, MOST_VALUES // len(names))))
        low, scale, shape = 0.0, 10 ** rng.uniform(0, 6), rng.choice(("any", "any", "walk", "steep"))
        if rng.random() < 0.08:
            low = -rng.random()
        series = {name: _row(rng, labels, (low * scale, scale), shape) for name in names}
        series = _readable(series, rng)
    bare = kind == "shares" and rng.random() < 0.7
    titles = ["" if bare or rng.random() < 0.3 else _title(corpus, rng, language, 1) for _ in "xy"]
    head = _title(corpus, rng, language, rng.randint(1, 3)) if rng.random() < 0.85 else ""
    return Chart(head, _source(corpus, rng, language), titles[0], titles[1], series)


def _row(rng: Random, labels: list[str], within: tuple[float, float], shape: str) -> dict[str, float]:
    """Numbers at random: anywhere within, one near the other, or few large ones."""
    low, high = within
    if shape == "walk":
        place, drift = rng.random(), rng.uniform(-0.1, 0.1)
        places = []
        for _ in labels:
            places.append(place)
            place = min(1, max(0.02, place + drift + rng.uniform(-0.15, 0.15)))
    else:
        places = [rng.random() ** (3 if shape == "steep" else 1) for _ in labels]
    return {label: low + (high - low) * place for label, place in zip(labels, places, strict=True)}


def _readable(series: dict[str, dict[str, float]], rng: Random) -> dict[str, dict[str, float]]:
    """The values rounded: to what is seen on an axis; sometimes less, where they are few enough to be printed."""
    values = [value for row in series.values() for value in row.values()]
    largest = max(max(map(abs, values)), max(values) - min(values))
    if not largest:
        return series
    totals = [sum(abs(row.get(label, 0)) for row in series.values()) for label in next(iter(series.values()))]
    fine = len(values) <= 10 and rng.random() < 0.4
    least = step(largest, 2000) if fine else step(max(totals) if rng.random() < 0.4 else largest, LEVELS)
    return {name: {label: _near(value, least) for label, value in row.items()} for name, row in series.items()}


def _near(value: float, least: float) -> float:
    return round(round(value / least) * least, 9) + 0.0


def _shares(rng: Random, count: int) -> list[float]:
    """Numbers that are 100 together, none of them small."""
    unit = rng.choice((1, 1, 0.1, 0.1, 0.01))
    whole, least = round(100 / unit), round(4 / unit)
    parts = [rng.random() ** 1.5 + 0.05 for _ in range(count)]
    rest = whole - least * count
    found = [least + int(rest * part / sum(parts)) for part in parts]
    found[0] += whole - sum(found)
    return [_near(part * unit, unit) for part in found]


def _points(corpus: Corpus, rng: Random, language: Language) -> dict[str, dict[str, float]]:
    """Series of points, each at numbers of its own, from the least."""
    names = [""] if rng.random() < 0.5 else _labels(corpus, rng, language, rng.randint(1, 3), names=True)
    width, height = 10 ** rng.uniform(0, 4), 10 ** rng.uniform(0, 4)
    across, up = step(width, LEVELS), step(height, LEVELS)
    slope, count = rng.uniform(-1, 1), rng.randint(4, 24 // len(names))
    found: dict[str, dict[str, float]] = {}
    taken: list[tuple[int, int]] = []
    for name in names:
        row = {}
        for place in sorted(rng.sample(range(1, LEVELS), count)):
            level = 50 + round(slope * (place - 50) / 2 + rng.uniform(-25, 25))
            if all(abs(place - x) > 3 or abs(level - y) > 5 for x, y in taken):  # none hides another
                taken.append((place, level))
                row[number(_near(place * across, across))] = _near(level * up, up)
        found[name] = row
    return found


def _labels(corpus: Corpus, rng: Random, language: Language, count: int, names: bool = False) -> list[str]:
    """So many labels, each once: of time, of places and goods, or any words."""
    kind = rng.random()
    if kind < 0.25 and (not names or kind < 0.08):
        return _times(rng, language, count)
    if kind < 0.55:
        return rng.sample(_NAMES[language].split(), count)
    if kind < 0.65 and not names:
        return _bands(rng, count)
    if kind < 0.72:
        letters = rng.choice(
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", [f"Q{n}" for n in range(1, 27)], [f"T-{n}" for n in range(1, 27)])
        )
        return list(letters[:count])
    found: list[str] = []
    for _ in range(20 * count):
        words = rng.choice((1, 1, 2)) if language == "en" else rng.randint(2, 5)
        label = short(corpus.words(rng, language, words), 20)
        label = label[:1].upper() + label[1:] if rng.random() < 0.7 else label
        if len(label) > 1 and label.lower() not in (other.lower() for other in found):
            found.append(label)
        if len(found) == count:
            return found
    return rng.sample(_NAMES[language].split(), count)


def _times(rng: Random, language: Language, count: int) -> list[str]:
    """Months, days, years or quarters that follow each other."""
    kind = rng.randrange(4)
    if kind == 0 and count <= 12:
        start = rng.randrange(13 - count)
        months = [f"{month}月" for month in range(1, 13)] if language == "zh" else _MONTHS.split(",")
        cut = rng.choice((3, 9))
        return [month[:cut] for month in months[start : start + count]]
    if kind == 1 and count <= 7:
        days = [f"周{day}" for day in "一二三四五六日"] if language == "zh" else _DAYS.split(",")
        return days[:count]
    start, by = rng.randint(1950, 2024 - count), rng.choice((1, 1, 1, 2, 5))
    if kind == 2:
        quarters = [(start + place // 4, place % 4 + 1) for place in range(count)]
        return [f"{year}年{q}季度" if language == "zh" else f"{year} Q{q}" for year, q in quarters]
    years = [start + place * (by if count < 14 else 1) for place in range(count)]
    return [f"{year}年" if language == "zh" and by == 2 else f"{year}" for year in years]


def _bands(rng: Random, count: int) -> list[str]:
    """Ranges of numbers, one after the other."""
    start, width = rng.choice((0, 10, 15, 100)), rng.choice((5, 10, 20, 100))
    return [f"{start + place * width}-{start + (place + 1) * width - 1}" for place in range(count)]


def _title(corpus: Corpus, rng: Random, language: Language, length: int) -> str:
    """A thing that is counted, or any words; the longer, the more of them."""
    thing = rng.choice(_THINGS[language].split())
    if length == 1:
        unit = rng.choice(("", "", f" ({rng.choice(('%', 'kg', 'm', 'thousands', 'million', 'USD'))})"))
        if language == "zh":
            unit = rng.choice(("", "", f"（{rng.choice(('万元', '亿元', '吨', '千克', '人', '毫米'))}）"))
        if rng.random() < 0.6:
            return thing + unit
    if rng.random() < 0.35:
        year = rng.randint(1960, 2025)
        place = rng.choice(_NAMES[language].split())
        if language == "zh":
            return rng.choice(
                (f"{year}年{place}{thing}", f"{place}{thing}统计", f"{year}–{year + 5}年{thing}变化".replace("–", "-"))
            )
        return rng.choice((f"{thing} in {place}, {year}", f"{thing} by {place.lower()}", f"{thing}, {year}-{year + 5}"))
    words = rng.randint(1, 4 * length) if language == "en" else rng.randint(3, 6 * length)
    text = short(corpus.words(rng, language, words), 34 if length == 1 else 100)
    return text[:1].upper() + text[1:] if text else thing


def _source(corpus: Corpus, rng: Random, language: Language) -> str:
    """Who says so; "" for half of all charts."""
    if rng.random() < 0.5:
        return ""
    if rng.random() < 0.6:
        return rng.choice(_OFFICES[language].split("|"))
    try:
        return short(corpus.words(rng, language, rng.randint(1, 4) if language == "en" else rng.randint(2, 10)), 50)
    except BadInput:
        return ""
