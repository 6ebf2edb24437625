"""Takes rows that a [[webhook]] sends: checks the signature, and deals with each row once.

WEBHOOK_SECRET=whsec_… webhook_receiver.py 8080 last-seq
"""

import os
import sys
from pathlib import Path

from aiohttp import web

from asterisk_compliance import WebhookRefused, verify_webhook


class Receiver:
    """One log's rows. The file holds the number of the last row that was dealt with."""

    def __init__(self, secret: str, file: Path) -> None:
        self._secret = secret
        self._file = file
        self._last = int(file.read_text()) if file.exists() else -1

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            rows = verify_webhook(body, request.headers, secrets=[self._secret])
        except WebhookRefused as refused:
            print(refused, flush=True)
            return web.Response(status=400)
        for row in rows:
            if row.seq > self._last:  # what comes again was dealt with
                print(row.seq, row.kind, row.call, flush=True)
                self._last = row.seq
        new = self._file.with_name(f"{self._file.name}.new")
        new.write_text(f"{self._last}\n")
        new.replace(self._file)  # whole or not at all, and before we say that it arrived
        return web.Response(status=204)


def main(port: str, file: str) -> None:
    receiver = Receiver(os.environ["WEBHOOK_SECRET"], Path(file))
    app = web.Application()
    app.router.add_post("/rows", receiver.take)
    web.run_app(app, host="127.0.0.1", port=int(port), print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
