import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from report_example import chapter, sea_surface, vortices

from rheos.report import Content, render, write
from rheos.report.content import Card, Cost, ScoreRow, Verdict, WindowScores
from rheos.report.sections import duration, gauge, score_table, sections

HEADINGS = ("The forecast", "How good it is", "Can its spread be trusted", "How it was made", "Make it again")
VOID = {"meta", "img", "source", "br", "path"}


class Page(HTMLParser):
    """What a page holds: its tags with attributes, its words, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())


def table_of(text: str) -> dict[str, list[str]]:
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', text, re.S)
    return {name: re.findall(r'<span class="number">(.*?)</span>', cells) for name, cells in rows}


def test_page_is_whole_and_loads_nothing(whole_page: str) -> None:
    page = Page(whole_page)
    assert page.open == []
    assert "http:" not in whole_page
    assert "https:" not in whole_page
    assert "@import" not in whole_page
    assert "url(" not in whole_page
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base"}
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:image/", "#")), (tag, name)


def test_pictures_hold_no_address_outside_themselves(whole_page: str) -> None:
    for content in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", whole_page):
        drawing = base64.b64decode(content).decode()
        loads = re.findall(r"(?:href|src)=[\"']([^\"'#][^\"']*)", drawing)
        assert not loads
        assert "@import" not in drawing
        assert not re.findall(r"url\((?!#)", drawing)


def test_every_picture_is_described_and_explained(whole_page: str) -> None:
    page = Page(whole_page)
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) >= 15
    assert all(len(attributes["alt"] or "") > 15 for attributes in pictures)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", whole_page, re.S)
    assert len(captions) == len(pictures)
    assert all(caption.strip().endswith(".") for caption in captions)
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_all_sections_appear_when_all_is_given(whole_page: str) -> None:
    words = Page(whole_page).words
    assert set(HEADINGS) <= set(words)
    assert "Calibration saw only 4 independent windows; its effect is uncertain." in words
    assert "2.0 min" in words
    assert "Animation of vorticity" in whole_page


def test_bare_content_has_no_sections() -> None:
    words = Page(render(Content(title="Nothing yet"))).words
    assert not set(HEADINGS) & set(words)
    assert "Nothing yet" in words


@pytest.mark.parametrize(
    ("part", "heading"),
    [
        ("fans", "The forecast"),
        ("scores", "How good it is"),
        ("window_scores", "How good it is"),
        ("ranks", "Can its spread be trusted"),
        ("coverage", "Can its spread be trusted"),
        ("training", "How it was made"),
        ("bias", "How it was made"),
        ("cost", "How it was made"),
    ],
)
def test_each_part_brings_its_own_section_only(part: str, heading: str) -> None:
    whole = chapter()
    made = sections(replace(Content(title="one part"), **{part: getattr(whole, part)}))
    assert [section.title for section in made] == [heading]


def test_verdict_stands_in_the_page_in_full(whole_page: str) -> None:
    good, bad = (
        Verdict(skill=s, low=lo, high=hi, baseline=b, windows=w, members=m)
        for s, lo, hi, b, w, m in (
            (0.11, 0.065, 0.15, "lag_ridge", 28, 100),
            (-0.031, -0.058, -0.006, "persistence", 12, 24),
        )
    )
    assert good.sentence in whole_page
    assert bad.sentence in whole_page
    assert bad.headline in whole_page
    assert 'class="verdict worse"' in whole_page
    assert 'class="verdict better"' in whole_page


def test_gauge_places_the_interval_about_zero() -> None:
    verdict = Verdict(skill=-0.1, low=-0.2, high=0.05, baseline="seasonal", windows=9, members=5)
    placed = gauge(verdict)
    assert placed is not None
    assert placed.low < placed.skill < placed.zero < placed.high
    assert (placed.zero - placed.low) / (placed.high - placed.zero) == pytest.approx(4, rel=1e-3)
    assert gauge(replace(verdict, low=float("nan"))) is None


def test_table_holds_the_numbers_it_was_given() -> None:
    rows = (
        ScoreRow(name="rheos", crps=0.28714, rmse=12345.678, coverage_90=0.887, spread_skill=0.974),
        ScoreRow(name="seasonal", crps=0.00051234, rmse=2.5, coverage_90=0.931, spread_skill=None),
    )
    text = render(Content(title="table", scores=rows))
    assert table_of(text) == {
        "rheos": ["0.2871", "1.235e+04", "88.7\N{NO-BREAK SPACE}%", "0.974"],
        "seasonal": ["0.0005123", "2.5", "93.1\N{NO-BREAK SPACE}%", "–"],
    }
    assert "weighted quantile loss" not in text


def test_best_of_a_column_is_the_lowest_or_the_nearest_to_its_goal() -> None:
    rows = (
        ScoreRow(name="rheos", crps=1.0, rmse=2.0, coverage_90=0.97, spread_skill=1.3),
        ScoreRow(name="seasonal", crps=2.0, rmse=1.0, coverage_90=0.88, spread_skill=0.9),
    )
    table = score_table(rows, "K")
    assert [[cell.best for cell in cells] for _, cells in table.rows] == [
        [True, False, False, False],
        [False, True, True, True],
    ]
    assert [cells[0].bar for _, cells in table.rows] == [50.0, 100.0]


def test_names_from_the_data_are_words_never_markup() -> None:
    evil = '<script>alert("x")</script>'
    fan = replace(sea_surface(0), channel=evil, unit="$\\frac{$", title=evil)
    text = render(
        Content(
            title=evil,
            subtitle=evil,
            fans=(fan,),
            scores=(ScoreRow(name=evil, crps=1.0),),
            warnings=(evil,),
            command=evil,
            card=Card(facts={evil: evil}, recipe=evil, versions={evil: evil}),
        )
    )
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 10
    for content in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", text):
        assert b"<script" not in base64.b64decode(content)


def test_same_content_gives_the_same_page() -> None:
    field = vortices(frames=1)
    parts = replace(Content(title="twice"), fans=(sea_surface(0),), fields=(replace(field, history=None),))
    assert render(parts) == render(parts)


def test_odd_picture_is_laid_beside_its_words() -> None:
    whole = chapter()
    three = Content(
        title="odd", ranks=whole.ranks, leads=replace(whole.leads, crps={}), coverage=whole.coverage
    )
    (trust,) = sections(three)
    assert [picture.beside for picture in trust.pictures] == [False, False, True]
    (trust,) = sections(replace(three, coverage=None))
    assert not any(picture.beside for picture in trust.pictures)


def test_write_leaves_one_whole_file(tmp_path: Path) -> None:
    content = Content(title="on disk", cost=Cost(training_seconds=0.25, parameters=1_234_567))
    target = write(content, tmp_path / "report.html")
    assert target.read_text(encoding="utf-8") == render(content)
    assert "1,234,567" in target.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "250 ms"), (42.0, "42.0 s"), (118.4, "2.0 min"), (9000.0, "2.5 h")]
)
def test_durations_read_as_one_would_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_windows_are_won_by_the_lower_score() -> None:
    scores = WindowScores(
        origins=("a", "b", "c"),
        rheos=np.array([1.0, 2.0, 3.0]),
        baseline=np.array([2.0, 1.0, 4.0]),
        baseline_name="seasonal",
    )
    (section,) = sections(Content(title="three windows", window_scores=scores))
    assert section.pictures[0].title == "Window by window: better in 2 of 3"
