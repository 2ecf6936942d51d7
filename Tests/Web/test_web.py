"""The web page of `baron serve` in a real browser: test_web.py BARON DEMO [FOLDER-FOR-SCREENSHOTS]"""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

import devtools

FOUND = "state.result && document.querySelector('#busy').hidden"


def png(path, width=64, height=48):
    """A picture of a grey ground with a red square."""
    rows = b"".join(
        b"\0" + b"".join(
            b"\xd2\x28\x28" if 16 < x < 40 and 12 < y < 36 else b"\x80\x80\x80"
            for x in range(width))
        for y in range(height))

    def part(kind, data):
        body = kind + data
        return struct.pack("!I", len(data)) + body + struct.pack("!I", zlib.crc32(body))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(
            "!IIBBBBB", width, height, 8, 2, 0, 0, 0)) + part(b"IDAT", zlib.compress(rows))
            + part(b"IEND", b""))


class Server:
    def __init__(self, baron, demo):
        self.process = subprocess.Popen(
            [baron, "serve", "--demo", demo, "--port", "0"], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.address = re.search(r"http://\S+", line).group(0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def requests(page):
    """How often the page has asked for objects."""
    return page.evaluate("performance.getEntriesByType('resource')"
                         ".filter((entry) => entry.name.endsWith('/detect')).length")


def boxes(page):
    return page.evaluate("document.querySelectorAll('#boxes > g').length")


def starts(page):
    page.wait("state.model !== null && document.querySelectorAll('#sceneList img').length > 0")
    text = page.evaluate("document.querySelector('#model').textContent")
    assert "trained with boxes" in text and "by name alone" in text, text
    assert page.evaluate("document.querySelectorAll('#chips span.trained').length") > 0
    assert page.evaluate("document.querySelectorAll('#chips span.untrained').length") > 0
    assert page.evaluate("document.querySelector('#frame').hidden")
    # At first the least scores are the run's own.
    assert page.evaluate("JSON.stringify(leastScores()) === JSON.stringify("
                         "{ trained: state.model.thresholds.trained, others: state.model.thresholds.others })")


def refuses_what_is_no_picture(page, folder):
    path = os.path.join(folder, "notes.txt")
    with open(path, "w") as file:
        file.write("no picture")
    page.drop(path)
    assert "is no picture" in page.wait("document.querySelector('#error').textContent")
    assert requests(page) == 0
    broken = os.path.join(folder, "broken.png")
    with open(broken, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\nnothing more")
    page.drop(broken)
    text = page.wait("!document.querySelector('#error').hidden && "
                     "document.querySelector('#busy').hidden && requestsDone() && "
                     "document.querySelector('#error').textContent")
    assert text.startswith("picture:"), text
    assert page.evaluate("document.querySelector('#list').children.length") == 0


def takes_a_dropped_picture(page, folder):
    path = os.path.join(folder, "square.png")
    png(path)
    page.drop(path)
    page.wait(FOUND)
    assert page.evaluate("document.querySelector('#error').hidden")
    assert page.evaluate("state.result.picture.width") == 64
    lower(page, 0)
    assert boxes(page) > 0


def lower(page, place):
    page.evaluate("for (const s of document.querySelectorAll('input[type=range]')) "
                  f"{{ s.value = {place}; s.dispatchEvent(new Event('input')); }}")


def slides_without_asking(page):
    asked = requests(page)
    lower(page, 0)
    many = boxes(page)
    scores = page.evaluate("objects().map((object) => object.score)")
    # Between the best and the worst that is shown.
    middle = (max(scores) + min(scores)) / 2
    lower(page, page.evaluate(f"toPlace({middle})"))
    few = boxes(page)
    assert 0 < few < many, (few, many, scores[:3])
    assert page.evaluate("document.querySelectorAll('#list li[data-index]').length") == few
    lower(page, 1000)
    assert boxes(page) == 0 and "the best is" in page.evaluate(
        "document.querySelector('#list').textContent")
    lower(page, 0)
    assert boxes(page) == many and requests(page) == asked


def takes_a_scene(page):
    page.click("#sceneList button:nth-child(2)")
    page.wait("document.querySelector('#sceneList button.chosen') !== null && state.result && "
              "state.result.picture.width > 64 && document.querySelector('#busy').hidden")


def takes_other_words(page):
    page.type("#words", "heart, zeppelin")
    page.wait("state.result && state.result.words.length === 2 && document.querySelector('#busy').hidden")
    assert page.evaluate("state.result.seen") is True
    assert "only the words were compared" in page.evaluate(
        "document.querySelector('#status').textContent")
    names = page.evaluate("state.result.objects.map((object) => object.name)")
    assert set(names) <= {"heart", "zeppelin"}, names
    assert page.evaluate("trained('zeppelin')") is False
    assert page.evaluate("document.querySelectorAll('#chips span.untrained').length") >= 1
    page.click("#own")
    page.wait("state.result && state.result.words.length > 10 && document.querySelector('#busy').hidden")


def tells_least_scores_of_both_kinds(page):
    lower(page, 0)
    every = page.evaluate("objects().length")
    kinds = {kind: page.evaluate(f"objects().filter((object) => object.trained === {kind}).length")
             for kind in ("true", "false")}
    for slider, kind in (("threshold", "true"), ("untrained", "false")):
        page.evaluate(f"(() => {{ const s = document.querySelector('#{slider}'); s.value = 1000;"
                      " s.dispatchEvent(new Event('input')); })()")
        assert page.evaluate("objects().length") == every - kinds[kind], (slider, every, kinds)
        lower(page, 0)


def asks_again_for_what_competes(page):
    def after(box):
        """How many boxes there are when a tick has been changed and the server has answered."""
        asked = requests(page)
        page.click(box)
        page.wait("document.querySelector('#busy').hidden && performance.getEntriesByType('resource')"
                  f".filter((entry) => entry.name.endsWith('/detect')).length > {asked}")
        return boxes(page)

    lower(page, 0)
    page.type("#words", "heart, disk")
    page.wait("state.result && state.result.words.length === 2 && document.querySelector('#busy').hidden")
    few = boxes(page)
    # Whatever looks most like another class of training is a heart or a disk now.
    assert few <= after("#others"), few
    page.click("#own")
    page.wait("state.result && state.result.words.length > 10 && document.querySelector('#busy').hidden")
    assert after("#others") < after("#single")
    assert after("#single") > 0


def hover_shows_other_names(page):
    lower(page, 0)
    x, y = page.evaluate(
        "(() => { const all = [...document.querySelectorAll('#boxes > g > rect.box')];"
        " const b = all[all.length - 1].getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; })()")
    page.move(x, y)
    lines = page.wait("!document.querySelector('#tip').hidden && "
                      "document.querySelectorAll('#tip div').length")
    assert lines == 6, lines
    assert page.evaluate("document.querySelectorAll('#list li.lit').length") == 1
    scores = page.evaluate("objects().every((object) => object.next.every((next, index, all) => "
                           "index === 0 || next.score <= all[index - 1].score))")
    assert scores
    page.move(2, 2)
    page.wait("document.querySelector('#tip').hidden")


def copies_as_json(page):
    page.click("#copy")
    text = page.wait("state.copied")
    copied = json.loads(text)
    assert len(copied["objects"]) == boxes(page) and copied["picture"]["sha256"]


def takes_a_pasted_picture(page):
    page.evaluate("""(async () => {
      const canvas = document.createElement('canvas');
      canvas.width = 80; canvas.height = 60;
      canvas.getContext('2d').fillRect(20, 20, 30, 30);
      const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
      const data = new DataTransfer();
      data.items.add(new File([blob], 'pasted.png', { type: 'image/png' }));
      document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
    })()""")
    page.wait("state.result && state.result.picture.width === 80 && document.querySelector('#busy').hidden")


def takes_a_chosen_file(page, folder):
    root = page.call("DOM.getDocument")["root"]["nodeId"]
    node = page.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=node, files=[os.path.join(folder, "square.png")])
    page.wait("state.result && state.result.picture.width === 64 && document.querySelector('#busy').hidden")


def takes_a_picture_with_the_camera(page):
    page.click("#other")
    page.wait("!document.querySelector('#empty').hidden")
    page.click("#camera")
    page.wait("document.querySelector('#video').videoWidth > 0")
    page.click("#snap")
    page.wait(FOUND)
    assert page.evaluate("state.result.picture.width === document.querySelector('#video').videoWidth")
    assert page.evaluate("state.stream === null && document.querySelector('#video').hidden")


def fits_a_phone(page):
    takes_a_scene(page)
    page.size(390, 844, mobile=True)
    time.sleep(0.2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # Also what is enlarged and what has a number of its own.
    wide = page.evaluate("[...document.querySelectorAll('#stage *, #form *')].filter((element) => {"
                         " const b = element.getBoundingClientRect(); const inside ="
                         " element.closest('svg'); return !inside && b.width && (b.right > 390 || b.left < 0); })"
                         ".map((element) => element.id || element.tagName)")
    assert not wide, wide
    assert page.evaluate("document.querySelector('#words').getBoundingClientRect().top > "
                         "document.querySelector('#stage').getBoundingClientRect().bottom")
    small = page.evaluate("[...document.querySelectorAll('button')].filter((button) => "
                          "button.offsetHeight && button.offsetHeight < 40).map((b) => b.id)")
    assert not small, small
    page.size(1280, 900)


def is_dark_in_the_dark(page):
    def light():
        return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)"
                             ".map(Number).reduce((a, b) => a + b) / 765")

    page.scheme("dark")
    assert light() < 0.2, light()
    page.scheme("light")
    assert light() > 0.8, light()


def says_when_the_server_is_gone(page, server):
    assert server.stop() == 0
    page.type("#words", "heart")
    text = page.wait("!document.querySelector('#error').hidden && "
                     "document.querySelector('#error').textContent")
    assert "does not answer" in text, text


def pictures(page, folder):
    """Screenshots for people."""
    page.size(1280, 860)
    page.open(page.evaluate("location.href"))
    page.wait("document.querySelectorAll('#sceneList button').length > 4")
    page.click("#sceneList button:nth-child(5)")
    page.wait("state.result && document.querySelector('#sceneList button:nth-child(5).chosen') && "
              "document.querySelector('#busy').hidden")
    x, y = page.evaluate(
        "(() => { const b = document.querySelector('#boxes > g:last-child > rect.box')"
        ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()")
    page.move(x, y)
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        time.sleep(0.3)
        page.screenshot(os.path.join(folder, f"{scheme}.png"))
    page.move(2, 2)
    page.scheme("light")
    page.size(390, 844, mobile=True)
    time.sleep(0.3)
    page.screenshot(os.path.join(folder, "phone.png"))
    page.size(1280, 860)


def main():
    baron, demo = sys.argv[1], sys.argv[2]
    if devtools.find_browser() is None:
        print("SKIPPED: the web page is not tested, as there is no Chromium; "
              "install it: apt-get install chromium")
        return
    shots = sys.argv[3] if len(sys.argv) > 3 else None
    server = Server(baron, demo)
    page = devtools.Page()
    done = 0
    try:
        page.open(server.address)
        # Whether no answer is awaited any more.
        page.evaluate("globalThis.requestsDone = () => "
                      "performance.getEntriesByType('resource').some((entry) => "
                      "entry.name.endsWith('/detect'))")
        with tempfile.TemporaryDirectory() as folder:
            for test, *arguments in [
                (starts,), (refuses_what_is_no_picture, folder),
                (takes_a_dropped_picture, folder), (slides_without_asking,), (takes_a_scene,),
                (takes_other_words,), (tells_least_scores_of_both_kinds,),
                (asks_again_for_what_competes,), (hover_shows_other_names,), (copies_as_json,),
                (takes_a_pasted_picture,), (takes_a_chosen_file, folder),
                (takes_a_picture_with_the_camera,), (fits_a_phone,), (is_dark_in_the_dark,),
            ]:
                test(page, *arguments)
                done += 1
                print(f"ok {test.__name__.replace('_', ' ')}", flush=True)
        if shots:
            os.makedirs(shots, exist_ok=True)
            pictures(page, shots)
        # One answer of 422 was wanted.
        complaints = [text for text in page.complaints if "422" not in text]
        assert not complaints, complaints
        says_when_the_server_is_gone(page, server)
        print("ok says when the server is gone")
        print(f"{done + 1} tests of the web page passed")
    except BaseException:
        if shots:
            os.makedirs(shots, exist_ok=True)
            page.screenshot(os.path.join(shots, "failed.png"))
        raise
    finally:
        page.close()
        if server.process.poll() is None:
            server.process.kill()


if __name__ == "__main__":
    main()
