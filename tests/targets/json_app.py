# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A WSGI application that streams JSON: json.dump writes to the client's socket piece by piece."""

import json

ORDERS = [
    {"id": number, "customer": f"customer-{number % 17}", "items": list(range(number % 9))}
    for number in range(40)
]


class Pieces:
    """Collects json's tiny writes into pieces worth a send."""

    PIECE_BYTES = 512

    def __init__(self, write):
        self.send = write
        self.pending = []
        self.bytes_nr = 0

    def write(self, text):
        self.pending.append(text)
        self.bytes_nr += len(text)
        if self.bytes_nr >= self.PIECE_BYTES:
            self.flush()

    def flush(self):
        self.send("".join(self.pending).encode())
        self.pending.clear()
        self.bytes_nr = 0


def handle_request(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "application/json")])
    pieces = Pieces(write)
    json.dump({"path": environ["PATH_INFO"], "orders": ORDERS}, pieces)
    pieces.flush()
    return []


application = handle_request
