import math

import pytest

from rheos.report.content import Verdict, percent


def verdict(skill: float, low: float, high: float) -> Verdict:
    return Verdict(skill=skill, low=low, high=high, baseline="seasonal", windows=28, members=100)


@pytest.mark.parametrize(
    ("skill", "low", "high", "outcome"),
    [
        (0.12, 0.08, 0.16, "better"),
        (0.12, -0.01, 0.2, "unclear"),
        (-0.12, -0.2, 0.01, "unclear"),
        (-0.12, -0.2, -0.05, "worse"),
        (0.3, math.nan, math.nan, "unclear"),
        (0.1, 0.0, 0.2, "unclear"),
    ],
)
def test_outcome_needs_the_whole_interval_on_one_side(
    skill: float, low: float, high: float, outcome: str
) -> None:
    assert verdict(skill, low, high).outcome == outcome


def test_positive_verdict_gives_every_number() -> None:
    made = verdict(0.123, 0.081, 0.16)
    assert made.headline == "Better than the best baseline by 12.3\N{NO-BREAK SPACE}%"
    text = made.sentence.replace("\N{NO-BREAK SPACE}", " ")
    assert text == (
        "CRPS skill against seasonal is +12.3 % (90 % interval +8.1 % to +16.0 %) over 28 windows with "
        "100 members, entirely above zero."
    )


def test_negative_verdict_is_as_plain_as_a_positive_one() -> None:
    made = verdict(-0.05, -0.08, -0.02)
    assert made.headline.startswith("Not better: 5.0")
    assert "worse than the best baseline" in made.headline
    assert "−5.0" in made.sentence
    assert "the baseline is the better forecast" in made.sentence


def test_undecided_verdict_claims_nothing() -> None:
    made = verdict(0.04, -0.02, 0.1)
    assert made.headline == "Not shown to be better than the best baseline"
    assert "cannot tell the two apart" in made.sentence


def test_verdict_without_an_interval_says_so() -> None:
    made = Verdict(skill=0.3, low=math.nan, high=math.nan, baseline="seasonal", windows=1, members=10)
    assert made.sentence.endswith("over 1 window with 10 members, too few windows for an interval.")


def test_percent_has_a_true_minus() -> None:
    assert percent(-0.0312, signed=True) == "−3.1\N{NO-BREAK SPACE}%"
    assert percent(0.9) == "90.0\N{NO-BREAK SPACE}%"
