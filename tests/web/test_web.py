"""Do the pages work in a real browser: both themes, three languages, a phone's width, without a word on the console or a
request elsewhere? Screenshots go to build/screenshots."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from support import BUILD, SLOWER, Daemon, ask, expected_rows

LAB = ["--names", 100]
PAGE = "http://127.0.0.1:8053"
SHOTS = BUILD.resolve().parent / "build" / "screenshots"
PATIENCE_S = 15 * SLOWER
USEFUL = {"en": "Was this page useful?", "vi": "Trang này có hữu ích không?", "th": "หน้านี้มีประโยชน์หรือไม่?"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    place = tmp_path_factory.mktemp("web")
    one = Daemon(place, {"web": {"listen": ["127.0.0.1@8053"], "votes": place / "votes.db"}}).start()
    over = threading.Event()

    def load() -> None:
        names = [row.name for row in expected_rows() if row.rcode == "NOERROR"]
        while not over.is_set():
            for i, name in enumerate(names):
                try:
                    ask(name, patience_s=1)
                    ask("n%d-%d.%s" % (time.monotonic_ns(), i, name), patience_s=1)  # not cached: it takes a loan
                except Exception:  # a deaf server of the lab
                    pass
                if over.wait(0.01):
                    return

    thread = threading.Thread(target=load)
    thread.start()
    yield one
    over.set()
    thread.join()
    one.finish()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking",
                 "--no-first-run", "--window-size=1280,1000", "--user-data-dir=%s" % (tmp_path / "profile")):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options=options, service=webdriver.chrome.service.Service("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(PATIENCE_S)
    yield driver
    elsewhere = [url for url in requests(driver) if not url.startswith((PAGE + "/", "data:", "chrome://", "about:"))]
    complaints = [line["message"] for line in driver.get_log("browser") if line["level"] in ("SEVERE", "WARNING")]
    driver.quit()
    assert (elsewhere, complaints) == ([], [])


def requests(driver: webdriver.Chrome) -> list[str]:
    events = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


def shoot(driver: webdriver.Chrome, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(str(SHOTS / (name + ".png")))


def until(driver: webdriver.Chrome, check) -> None:
    WebDriverWait(driver, PATIENCE_S).until(check)


def ready(driver: webdriver.Chrome, selector: str = "body") -> None:
    until(driver, lambda d: d.find_element(By.CSS_SELECTOR, selector).get_attribute("data-ready") == "yes")


def choose(driver: webdriver.Chrome, language: str, theme: str) -> None:
    Select(driver.find_element(By.ID, "language")).select_by_value(language)
    driver.execute_script("localStorage.setItem('berth-theme', arguments[0])", theme)
    driver.refresh()
    until(driver, lambda d: d.execute_script("return document.documentElement.dataset.theme") == theme)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "vi", "th"])
def test_each_page_in_each_form(daemon: Daemon, browser: webdriver.Chrome, language: str, theme: str):
    for path, name, mark in (("/", "map", "#map"), ("/port/60054", "port", "body"), ("/dashboard", "dashboard", "body")):
        browser.get(PAGE + path)
        if path == "/":
            choose(browser, language, theme)
        ready(browser, mark)
        time.sleep(4 if theme == "dark" and language == "en" else 1)
        assert browser.execute_script("return document.documentElement.lang") == language
        keys = browser.execute_script("return [...document.querySelectorAll('[data-t]')].filter(n => n.textContent === n.dataset.t).length")
        assert keys == 0, "words without a translation"
        wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0
        shoot(browser, "%s-%s-%s" % (name, language, theme))
        if name == "port":
            assert USEFUL[language] in browser.find_element(By.ID, "useful").text


def test_a_phone(daemon: Daemon, browser: webdriver.Chrome):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
    for path, name, mark in (("/", "map", "#map"), ("/port/53", "port", "body"), ("/dashboard", "dashboard", "body")):
        browser.get(PAGE + path)
        ready(browser, mark)
        time.sleep(1)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, name
        shoot(browser, "phone-" + name)


def test_the_map_by_keys_and_clicks(daemon: Daemon, browser: webdriver.Chrome):
    browser.get(PAGE)
    ready(browser, "#map")
    canvas = browser.find_element(By.ID, "map")
    canvas.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN, "+")
    assert "310" in browser.find_element(By.ID, "live").get_attribute("textContent")  # 53 + 1 + 256
    until(browser, lambda d: d.find_elements(By.CSS_SELECTOR, "#ticker li"))  # loans that ended
    pause = browser.find_element(By.ID, "pause")
    pause.click()
    assert pause.get_attribute("aria-pressed") == "true"
    browser.find_element(By.ID, "search").send_keys("domain", Keys.ENTER)
    until(browser, lambda d: d.current_url == PAGE + "/port/53")
    browser.back()
    ready(browser, "#map")
    browser.find_element(By.ID, "map").click()  # its middle
    until(browser, lambda d: d.current_url.startswith(PAGE + "/port/"))


def test_a_vote_that_changes(daemon: Daemon, browser: webdriver.Chrome):
    browser.get(PAGE + "/port/6000")
    ready(browser)

    def counts() -> list[str]:
        """All at once: the page puts new buttons in their place when a vote is counted."""
        texts = browser.execute_script("return [...document.querySelectorAll('#faces button')].map(b => b.innerText)")
        return [text.split("·")[-1].strip() for text in texts]

    assert counts() == ["0", "0", "0"]
    browser.find_element(By.ID, "vote-yes").click()
    until(browser, lambda d: counts() == ["1", "0", "0"])
    browser.find_element(By.ID, "vote-no").click()
    until(browser, lambda d: counts() == ["0", "0", "1"])
    browser.refresh()
    ready(browser)
    assert counts() == ["0", "0", "1"] and browser.find_element(By.ID, "vote-no").get_attribute("aria-pressed") == "true"
