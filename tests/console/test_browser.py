"""The console in a real browser: nothing blocked, filters in the address, back keeps them, keyboard and phone."""

import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import uvicorn
from headwater_console.app import create_app
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from headwater.adapters.home import Home
from headwater.adapters.report import render
from headwater.content.accounts import Accounts, Amounts, Cleaning, Delivery, Gap, Item
from headwater.content.quality import Fault, QualityReport
from headwater.errors import Message

AT = datetime(2026, 1, 5, 0, 30, tzinfo=UTC)
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(furnished: Home) -> Iterator[str]:
    app = create_app(furnished, authenticate=lambda: "clerk", authorize=lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Give a page that fails the test when it complains or asks for anything elsewhere."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    def watch(request: Request) -> None:
        if not request.url.startswith(address):
            complaints.append(request.url)

    context = browser.new_context(viewport={"width": 1280, "height": 860}, base_url=address)
    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", watch)
    yield page
    context.close()
    assert complaints == []


def test_the_language_is_switched_in_place(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("总览")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.get_by_role("link", name="Batches", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")


def test_a_filter_stands_in_the_address_and_back_returns_to_it(page: Page) -> None:
    page.goto("/batches?lang=en")
    page.get_by_label("Source").select_option("h0102")
    page.wait_for_url("**source=h0102**")
    expect(page.get_by_text("24 batches, page 1 of 1")).to_be_visible()
    page.get_by_label("State").select_option("refused")
    page.wait_for_url("**state=refused**")
    expect(page.get_by_text("0 batches")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("24 batches, page 1 of 1")).to_be_visible()
    expect(page.get_by_label("Source")).to_have_value("h0102")


def test_the_report_is_styled_and_switches_its_language_within_the_page(page: Page) -> None:
    page.goto("/quality")
    report = page.frame_locator("iframe.report")
    expect(report.get_by_role("heading", level=1)).to_contain_text("数据质量报告")
    width = report.locator(".page").evaluate("element => getComputedStyle(element).maxWidth")
    assert width != "none", "the report's own style was blocked"
    report.get_by_role("link", name="English").click()
    expect(report.get_by_role("heading", level=1)).to_contain_text("Data quality report")


def test_every_control_is_reached_by_keyboard(page: Page) -> None:
    page.goto("/batches?lang=en")
    reached = []
    for _ in range(page.locator("a[href], button, input, select").count()):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
    assert reached[0] == "Skip to content"
    assert {"Overview", "Batches", "Quality report", "中文", "English", "Filter"} <= set(reached)


@pytest.mark.parametrize(
    "path", ["/", "/batches", "/quality", "/sources", "/values", "/policies", "/payment", "/what-if", "/lineage"]
)
@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_phone_scrolls_down_only(page: Page, path: str, lang: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{path}?lang={lang}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_month_is_chosen_and_the_chart_fits_the_screen(page: Page) -> None:
    page.goto("/values?lang=en")
    expect(page.locator("svg.whiskers.wide")).to_be_visible()
    expect(page.locator("svg.whiskers.narrow")).to_be_hidden()
    page.get_by_label("Month").select_option("2025-12")
    page.wait_for_url("**month=2025-12**")
    expect(page.get_by_text("This is the first valuation")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("was valued then, and is not now.")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("svg.whiskers.wide")).to_be_hidden()
    narrow = page.locator("svg.whiskers.narrow")
    expect(narrow).to_be_visible()
    # Its texts are as large as the page's own: the drawing is not a wide one made small.
    assert narrow.evaluate("one => one.getBoundingClientRect().width / one.viewBox.baseVal.width") > 0.85
    overlaps = """() => {
      const texts = [...document.querySelectorAll('svg.whiskers.narrow text')];
      const boxes = texts.map((one) => one.getBoundingClientRect());
      return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right && b.left < a.right
        && a.top < b.bottom && b.top < a.bottom));
    }"""
    assert not page.evaluate(overlaps)


@pytest.mark.parametrize(("width", "kind"), [(1280, "wide"), (390, "narrow")])
def test_no_number_of_the_chart_is_cut_off(page: Page, width: int, kind: str) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/values?lang=en")
    cut = """(kind) => {
      const drawing = document.querySelector(`svg.whiskers.${kind}`);
      const paper = drawing.getBoundingClientRect();
      const boxes = [...drawing.querySelectorAll('text.tick')].map((one) => one.getBoundingClientRect());
      const isCut = (box) => box.left < paper.left - 0.5 || box.right > paper.right + 0.5;
      return boxes.length < 4 ? -1 : boxes.filter(isCut).length;
    }"""
    assert page.evaluate(cut, kind) == 0


def test_without_scripts_every_page_still_works(browser: Browser, address: str) -> None:
    with browser.new_context(java_script_enabled=False, base_url=address) as context:
        page = context.new_page()
        page.goto("/batches?lang=en")
        page.get_by_label("Source").select_option("h0101")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_text("24 batches, page 1 of 1")).to_be_visible()


@pytest.fixture
def report(furnished: Home) -> Iterator[str]:
    """Give the address of a report with two sources and three months, through the console."""
    amounts = Amounts(100, 97, 2, 1, 0, Decimal("50.00"), Decimal("48.00"), Decimal("1.00"), Decimal("1.00"))
    words = Message("不是数字。", "Not a number.")
    long = "x" * 180
    files = [
        Delivery(source, "fee_line", month, f"{source}/fees_{month}_{long}.csv", "loaded", date(2026, 2, 1), amounts)
        for source in ("h0101", "h0102")
        for month in ("2025-11", "2025-12", "2026-01")
    ]
    items = [Item(one.source_id, "fee_line", one.month, "cnt", "E-NUMBER", 2, 1, words, words) for one in files]
    cleaned = [Cleaning("C-CASE", one.source_id, "fee_line", "cnt", one.month, 7, "a", "A") for one in files]
    fault = Fault("E-NUMBER", "h0101", "fee_line", "cnt", 18, words, words)
    found = QualityReport(
        run_id="filtered",
        at=AT,
        snapshot=7,
        suites=(),
        landing=(),
        refused=(),
        faults=(fault,),
        accounts=Accounts(tuple(files), tuple(items), tuple(cleaned), (Gap("h0102", "fee_line", ("2025-12",)),)),
        histograms=(),
        origins=("synthetic",),
        folder="quality/filtered",
    )
    folder = furnished.reports / found.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "en.html").write_text(render(found, "en"), encoding="utf-8")
    yield "/reports/quality/filtered/en.html"
    shutil.rmtree(folder)


def test_a_report_is_filtered_by_source_and_month_and_its_sums_follow(page: Page, report: str) -> None:
    page.goto(report)
    account, code = page.locator("[data-group='a:h0101'] > summary"), page.locator("[data-group='i:E-NUMBER']")
    expect(account).to_contain_text("files 3 · in 300 · quarantined 6 · money 150.00")
    page.get_by_role("combobox", name="Month").select_option("2025-12")
    expect(account).to_contain_text("files 1 · in 100 · quarantined 2 · money 50.00")
    expect(code.locator("[data-i='0']")).to_have_text("4")
    page.get_by_role("combobox", name="Source").select_option("h0101")
    expect(page.locator("[data-group='a:h0102']")).to_be_hidden()
    expect(page.get_by_text("Missing months")).to_be_hidden()
    expect(code.locator("[data-i='0']")).to_have_text("2")
    expect(code.locator("[data-i='1']")).to_have_text("1")
    expect(page.locator("[data-group='a:h0101'] tbody tr:visible")).to_have_count(1)
    expect(page.locator("[data-group='c:C-CASE'] > summary [data-i]")).to_have_text("7")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("[data-group='a:h0102']")).to_be_visible()
    expect(page.get_by_text("Missing months")).to_be_visible()
    expect(account).to_contain_text("files 3 · in 300")


@pytest.mark.parametrize("width", [360, 1440])
def test_a_report_scrolls_down_only_with_everything_unfolded(page: Page, report: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(report)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nor does a file of a long name push the other columns of its table out of sight.
    hidden = "[...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth).length"
    assert page.evaluate(hidden) == 0
