"""Find texts of a page that overlap, that are cut off, that are too small, or whose lines end at a wrong place."""

from __future__ import annotations

from playwright.sync_api import Page

_FIND = """(smallest) => {
    const found = [], texts = [];
    const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    const short = text => text.trim().replace(/\\s+/g, ' ').slice(0, 40);
    const isShown = one => one.checkVisibility({visibilityProperty: true});
    while (walker.nextNode()) {
        const node = walker.currentNode, parent = node.parentElement;
        if (!node.data.trim() || !isShown(parent)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        // A part of a line that is one pixel high is hidden, and only read aloud.
        let isScrolled = false, boxes = [...range.getClientRects()].filter(box => box.width > 1 && box.height > 1);
        for (let above = parent; above; above = above.parentElement) {
            const style = getComputedStyle(above), frame = above.getBoundingClientRect();
            if (style.clipPath !== 'none') boxes = [];
            const clips = !above.ownerSVGElement && style.overflowX !== 'visible';
            if (clips && style.overflowX === 'hidden' && boxes.some(box => box.right > frame.right + 1))
                found.push(`cut off: ${short(node.data)}`);
            isScrolled ||= clips && style.overflowX !== 'hidden';
            if (clips) boxes = boxes.filter(box => box.left < frame.right && box.right > frame.left);
        }
        if (!boxes.length) continue;
        const matrix = parent.ownerSVGElement && parent.getScreenCTM();
        const size = parseFloat(getComputedStyle(parent).fontSize) * (matrix ? matrix.a : 1);
        if (size < smallest) found.push(`${size.toFixed(1)} px: ${short(node.data)}`);
        for (const box of boxes) texts.push([box, short(node.data), isScrolled]);
    }
    texts.sort((one, other) => one[0].top - other[0].top);
    for (let at = 0; at < texts.length; at++) {
        const [box, text, isScrolled] = texts[at];
        const isOutside = box.right > document.documentElement.clientWidth + 1 || box.left < -1;
        if (isOutside && !isScrolled) found.push(`outside: ${text}`);
        for (let next = at + 1; next < texts.length && texts[next][0].top < box.bottom - 3; next++) {
            const [other, its] = texts[next];
            if (other.left < box.right - 2 && box.left < other.right - 2) found.push(`overlap: ${text} and ${its}`);
        }
    }
    return found;
}"""


def unreadable_texts(page: Page, smallest_px: float = 9.0) -> list[str]:
    """Return the texts that overlap others, are cut off, are outside of the page, or are smaller than this size."""
    found: list[str] = page.evaluate(_FIND, smallest_px)
    return found


_BROKEN = r"""() => {
    const found = [], walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        for (const match of node.data.matchAll(/\d\s(%|points|ms|s|min)(?!\w)/g)) {
            const range = document.createRange();
            range.setStart(node, match.index);
            range.setEnd(node, match.index + match[0].length);
            const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
            if (lines.size > 1) found.push(node.data.trim().slice(0, 60));
        }
    }
    return found;
}"""


def separated_units(page: Page) -> list[str]:
    """Return the texts in which a unit is on another line than its number."""
    found: list[str] = page.evaluate(_BROKEN)
    return found
