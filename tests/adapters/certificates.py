"""Certificates of a CA that lives as long as a test, by the openssl command."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

CURVE = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"


@dataclass(frozen=True)
class Authority:
    """A CA whose files are in a folder: `<name>.pem` and `<name>.key`, its own under `ca`."""

    folder: Path

    @classmethod
    def found(cls, folder: Path, name: str = "Test-CA") -> Authority:
        authority = cls(folder)
        extensions = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign"
        authority.run(f"req -x509 {CURVE} -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN={name} {extensions}")
        return authority

    @property
    def ca(self) -> str:
        return self.file("ca.pem")

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def certify(self, name: str, stands_for: str = "IP:127.0.0.1", days: int = 2) -> None:
        """Make a key and a certificate for it. Days may be over."""
        (self.folder / f"{name}.names").write_text(f"subjectAltName={stands_for}\n")
        self.run(f"req {CURVE} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
        by = f"-CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile {name}.names"
        self.run(f"x509 -req -in {name}.csr {by} -out {name}.pem")

    def serving(self, name: str, *, asks: bool = False) -> ssl.SSLContext:
        """What a server speaks TLS with; `asks` for a certificate of the client's."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.file(f"{name}.pem"), self.file(f"{name}.key"))
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context

    def run(self, command: str) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("no openssl here")
        subprocess.run([openssl, *command.split()], cwd=self.folder, check=True, capture_output=True)  # noqa: S603 (ours)
