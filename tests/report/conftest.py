import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from report_example import chapter, flow_chapter

from rheos.report import Page, render


@pytest.fixture(scope="session")
def whole_page() -> str:
    return render(Page(title="Two chapters", chapters=(chapter(), flow_chapter(frames=3))))
