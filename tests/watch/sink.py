"""A mail server that takes everything, and writes each mail to a file of its own: sink.py PORT FOLDER."""

import itertools
import pathlib
import signal
import sys

from aiosmtpd.controller import Controller


class Sink:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.numbers = itertools.count()

    async def handle_DATA(self, server, session, envelope):
        number = next(self.numbers)
        place = self.folder / f"{number}.part"
        head = f"X-From: {envelope.mail_from}\r\nX-To: {', '.join(envelope.rcpt_tos)}\r\n".encode()
        place.write_bytes(head + envelope.content)
        place.rename(self.folder / f"{number}.eml")
        return "250 taken"


controller = Controller(Sink(sys.argv[2]), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
signal.sigwait({signal.SIGTERM, signal.SIGINT})
controller.stop()
