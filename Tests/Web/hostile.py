"""What bad clients do to `baron serve`: hostile.py BARON DEMO [SECONDS]

Pictures with flipped, cut and repeated bytes, bodies of wrong types and lengths, senders that are slow
or leave, and more connections than are allowed. The server must go on answering others. Pictures are those of
the demo, and where BARON_SHARED names a folder those below its data/images and data/images-hard.
"""

import base64
import glob
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

LIMIT = 1 << 20


class Server:
    def __init__(self, baron, demo):
        self.process = subprocess.Popen(
            [baron, "serve", "--demo", demo, "--port", "0", "--max-megabytes", "1",
             "--timeout", "3", "--max-connections", "100", "--cache", "8"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)/", self.process.stdout.readline()).group(1))
        os.set_blocking(self.process.stderr.fileno(), False)

    def raw(self, data, wait=True):
        """Sends bytes as they are and gives the status of the answer, or None."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            try:
                client.sendall(data)
                if not wait:
                    return None
                answer = client.recv(64)
            except (ConnectionError, socket.timeout):
                return None
            match = re.match(rb"HTTP/1.1 (\d+) ", answer)
            return int(match.group(1)) if match else None

    def ask(self, path, body=None, kind="image/png"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data=body, headers={"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def is_well(self, picture):
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}"
        status, body = self.ask("/detect?threshold=0&words=heart", picture)
        assert status == 200, (status, body)
        return json.loads(body)["objects"]

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * 4096

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0, self.process.returncode


def mutated(data, random):
    """A picture that is wrong in one of the ways in which files are."""
    data = bytearray(data)
    for _ in range(random.randrange(1, 8)):
        if not data:
            break
        place = random.randrange(len(data))
        kind = random.randrange(6)
        if kind == 0:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            data[place] = random.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            del data[place:place + random.randrange(1, 64)]
        elif kind == 4:
            data[place:place] = data[place:place + random.randrange(1, 64)]
        else:
            data[place:place + 4] = random.randbytes(4)
    return bytes(data)


def head(length, kind="image/png", extra=""):
    return (f"POST /detect HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {length}\r\n{extra}\r\n").encode()


def requests(seeds, random):
    """An endless row of bad requests."""
    while True:
        picture = random.choice(seeds)
        yield head(len(picture)) + mutated(picture, random).ljust(len(picture), b"\0")
        broken = mutated(picture, random)
        yield head(len(broken)) + broken
        yield head(len(picture), kind=random.choice([
            "text/html", "application/json", "multipart/form-data",
            "multipart/form-data; boundary=x", "image/svg+xml", "\x00", "application/" + "x" * 9000,
        ])) + picture
        form = (b"--x\r\nContent-Disposition: form-data; name=picture; filename=a\r\n\r\n" + picture
                + b"\r\n--x\r\nContent-Disposition: form-data; name=words\r\n\r\na,b\r\n--x--\r\n")
        form = mutated(form, random)
        yield head(len(form), "multipart/form-data; boundary=x") + form
        document = json.dumps({"picture": "aGVsbG8=", "words": ["a", 1, None], "threshold": "x"})
        document = mutated(document.encode(), random)
        yield head(len(document), "application/json") + document
        yield head(random.choice([-1, LIMIT + 1, 1 << 40, 1 << 70])) + picture
        yield mutated(head(len(picture)), random) + picture
        yield (b"POST /detect HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
               + mutated(b"5\r\nhello\r\n0\r\n\r\n", random) + b"\r\n\r\n")
        yield random.randbytes(random.randrange(1, 3000)) + b"\r\n\r\n"


def odd(picture):
    """Requests that are odd in a known way, with the status that each gets."""
    encoded = base64.b64encode(picture)

    def post(query="", kind="image/png", body=picture):
        return (f"POST /detect?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body

    def document(text):
        return post(kind="application/json", body=text.replace(b"PICTURE", encoded))

    def get(target, headers=""):
        return f"GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()

    for name, values in {"threshold": ["nan", "inf", "-1", "1.1", "1e400", "", "x", "0,5"],
                         "limit": ["0", "1.5", "-3", "99999999999999999999", "nan"],
                         "next": ["51", "-1", "1.5"], "only": ["2"]}.items():
        for value in values:
            yield f"{name} {value}", post(f"words=heart&{name}={value}"), 422
    yield "a long word", post("words=" + "a" * 10000), 422
    yield "a word of many tokens", post("words=" + "x1y2z3q4" * 20), 422
    yield "a zero byte in a word", post("words=a%00b"), 422
    yield "no UTF-8", post("words=%ff%fe"), 400
    yield "one word many times", post("words=" + ",".join(["heart", "Heart"] * 800)), 200
    yield "no word", post("words=,,%20,"), 200
    yield "signs", post("words=%7Bname%7D,%3Cb%3E,%F0%9F%90%88,%E2%80%AE"), 200
    yield "a number as text", document(b'{"picture":"PICTURE","words":["heart"],"threshold":"0.1"}'), 200
    for text in (b'{"picture":"PICTURE","threshold":NaN}', b'{"picture":"PICTURE","threshold":1e999}',
                 b"[" * 200000, b'{"a":' * 100000, b"[1]", b'{"picture":"PICTURE","words":[1]}',
                 b'{"picture":"PICTURE","words":[["a"]]}', b'{"words":"\xe9"}', b'{"picture":5}', b""):
        yield f"JSON {text[:24]}", document(text), 400
    yield "text", post(kind="text/plain"), 415
    yield "a form without a boundary", post(kind="multipart/form-data; boundary="), 400
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "get"):
        yield method, f"{method} /detect HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode(), 405
    yield "a whole address", get("http://x/healthz"), 200
    for target in ("/detect/", "//detect", "/../etc/passwd", "/scenes/%2e%2e%2fdemo.yaml", "/detect%00"):
        yield target, get(target), 404
    yield "a long header", get("/", "A: " + "x" * 20000 + "\r\n"), 431
    yield "a header that goes on", get("/", "A: x\r\n b\r\n"), 400
    yield "a zero byte in a header", get("/", "A: \0\r\n"), 400
    yield "two codings", (b"POST /detect HTTP/1.1\r\nTransfer-Encoding: gzip\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 501
    yield "two lengths", (b"POST /detect HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400
    yield "many small chunks", (b"POST /detect HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                + b"1\r\na\r\n" * 200000 + b"0\r\n\r\n"), 422


def main():
    baron, demo = sys.argv[1], sys.argv[2]
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 15
    paths = sorted(glob.glob(os.path.join(demo, "world", "*", "images", "*.png")))[:20]
    shared = os.path.join(os.environ.get("BARON_SHARED", ""), "data")
    # JPEG, WebP and what decoders have stumbled over; the server takes a megabyte.
    hard = [path for path in sorted(glob.glob(os.path.join(shared, "images*", "*.*")))
            if 0 < os.path.getsize(path) < LIMIT] if os.path.isabs(shared) else []
    seeds = [open(path, "rb").read() for path in paths + hard]
    draw = random.Random(1)
    server = Server(baron, demo)
    try:
        wanted = server.is_well(seeds[0])
        for seed in seeds:
            server.raw(head(len(seed), kind="") + seed)
        assert server.is_well(seeds[0]) == wanted
        print(f"ok {len(seeds)} pictures as they are, {len(hard)} of them from elsewhere")
        rows = list(odd(seeds[0]))
        for name, request, status in rows:
            found = server.raw(request)
            assert found == status, f"{name}: {found}, not {status}"
        assert server.is_well(seeds[0]) == wanted
        print(f"ok {len(rows)} odd requests")
        statuses = {}
        count = 0
        end = time.monotonic() + seconds
        for request in requests(seeds, draw):
            # One of three leaves without reading the answer, some in the middle of the request.
            leaves = draw.randrange(3) == 0
            if draw.randrange(10) == 0:
                request = request[:draw.randrange(len(request))]
                leaves = True
            status = server.raw(request, wait=not leaves)
            statuses[status] = statuses.get(status, 0) + 1
            count += 1
            if count % 100 == 0:
                assert server.is_well(seeds[0]) == wanted
            if time.monotonic() > end:
                break
        assert server.is_well(seeds[0]) == wanted
        print(f"ok {count} bad requests: " + ", ".join(
            f"{number} x {status or 'no answer wanted or possible'}"
            for status, number in sorted(statuses.items(), key=lambda item: -item[1])))
        assert 500 not in statuses, statuses

        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
        for client in slow:
            client.sendall(b"POST /detect HTTP/1.1\r\nContent-Le")
        began = time.monotonic()
        while time.monotonic() < began + 4:
            for client in slow:
                try:
                    client.sendall(b"n")
                except OSError:
                    pass
            assert server.is_well(seeds[0]) == wanted
            time.sleep(0.2)
        ended = 0
        for client in slow:
            client.settimeout(5)
            try:
                ended += client.recv(100).startswith(b"HTTP/1.1 408") or 1
            except ConnectionError:
                ended += 1
            client.close()
        assert ended == 60
        print("ok 60 slow senders were ended while others were served")

        left = []
        for index in range(3000):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            left.append(client)
            if len(left) > 900:
                left.pop(0).close()
            if index % 300 == 0:
                assert server.is_well(seeds[0]) == wanted
        assert server.is_well(seeds[0]) == wanted
        for client in left:
            client.close()
        print("ok 3000 connections that were left, of at most 100 at a time")
        memory = server.memory()
        assert memory < 2 << 30, memory
        server.end()
        print(f"ok the server ended by itself; it had {memory >> 20} MB")
    finally:
        if server.process.poll() is None:
            server.process.kill()


if __name__ == "__main__":
    main()
