"""Pictures of pages, taken by a real browser without a window."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support.processes import StartError

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT = 60.0


def screenshot(url: str, target: Path, *, width: int = 1280, height: int = 800) -> Path:
    """Writes a PNG of the page at `url`, as a window of that size shows it, and gives its path."""
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    if browser is None:
        message = "there is no chromium on this machine: run bin/setup --dev"
        raise StartError(message)
    with tempfile.TemporaryDirectory(prefix="revieee-browser-", ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                browser,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--force-device-scale-factor=1",
                "--no-first-run",
                "--no-proxy-server",
                "--virtual-time-budget=3000",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--screenshot={target}",
                "--",
                url,
            ],
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    if done.returncode or not target.exists():
        message = f"chromium made no picture of {url}:\n{done.stderr.decode(errors='replace')[-2000:]}"
        raise StartError(message)
    return target
