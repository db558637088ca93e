"""The console in a real browser: nothing blocked, filters in the address, back keeps them, keyboard and phone."""

import shutil
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from headwater_console.app import create_app
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from headwater.adapters.home import Home

CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def address(furnished: Home) -> Iterator[str]:
    app = create_app(furnished, authenticate=lambda: "clerk")
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
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name"))
    assert reached[0] == "Skip to content"
    assert {"Overview", "Batches", "Quality report", "中文", "English", "Filter"} <= set(reached)


@pytest.mark.parametrize("path", ["/", "/batches", "/quality", "/sources"])
@pytest.mark.parametrize("lang", ["zh-CN", "en"])
def test_a_phone_scrolls_down_only(page: Page, path: str, lang: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{path}?lang={lang}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_scripts_every_page_still_works(browser: Browser, address: str) -> None:
    with browser.new_context(java_script_enabled=False, base_url=address) as context:
        page = context.new_page()
        page.goto("/batches?lang=en")
        page.get_by_label("Source").select_option("h0101")
        page.get_by_role("button", name="Filter").click()
        expect(page.get_by_text("24 batches, page 1 of 1")).to_be_visible()
