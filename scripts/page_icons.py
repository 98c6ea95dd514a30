"""Write the tracking page's icons from the paths in `sdk/js/src/icons.js`. The PNG files need Chromium.

python scripts/page_icons.py
"""

from __future__ import annotations

from ordertrack.web.static_files import PAGES_FOLDER, SDK_FOLDER
from ordertrack.web.words import read_table

FOLDER = PAGES_FOLDER / "icons"
STATUSES = ("confirmed", "preparing", "ready", "picked_up", "delivered", "cancelled", "unknown")
GREEN, RED, CREAM = "#1f6a4c", "#9c2a1f", "#fffdf9"
PNG_SIZES = (192, 512)


def status_icon(path: str, background: str) -> str:
    """Return a round icon, 32 by 32."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
        f'<circle cx="16" cy="16" r="16" fill="{background}"/>'
        f'<path transform="translate(5.8 5.8) scale(.85)" d="{path}" fill="none" stroke="{CREAM}" stroke-width="2.2" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>\n'
    )


def app_icon(path: str) -> str:
    """Return the icon of the installed page, 512 by 512. The drawing is inside the safe zone of a maskable icon."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">'
        f'<rect width="512" height="512" fill="{GREEN}"/>'
        f'<path transform="translate(112 106) scale(12)" d="{path}" fill="none" stroke="{CREAM}" stroke-width="1.7" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>\n'
    )


def icon_files() -> dict[str, str]:
    """Return the text of each SVG file."""
    paths = read_table(SDK_FOLDER / "icons.js")
    files = {
        f"{status}.svg": status_icon(paths[status], RED if status == "cancelled" else GREEN) for status in STATUSES
    }
    return {**files, "app.svg": app_icon(paths["ready"])}


def main() -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in icon_files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for size in PNG_SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(f"<style>body{{margin:0}}</style>{icon_files()['app.svg']}")
            page.screenshot(path=FOLDER / f"app-{size}.png")
        browser.close()


if __name__ == "__main__":
    main()
