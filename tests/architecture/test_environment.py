"""Every variable that the settings read is documented, and none that is documented is unread."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED = re.compile(r'environ\.get\("(HOGSEND_[A-Z_]+)"')
CALL = re.compile(r'(?:text|choice|number|cron|flag|ids|_endpoint)\(\s*"([A-Z][A-Z_]+)"')
ROW = re.compile(r"^\| `([A-Z][A-Z_]+)` \|", re.MULTILINE)


def test_the_documented_variables_are_those_that_settings_read():
    read = set(CALL.findall((ROOT / "hogsend" / "settings.py").read_text()))
    for file in (ROOT / "hogsend" / "embedded").glob("*.py"):
        read.update(EMBEDDED.findall(file.read_text()))
    documented = set(ROW.findall((ROOT / "docs" / "operating" / "settings.md").read_text()))
    assert len(read) > 20
    assert read == documented


def test_only_the_settings_read_the_environment():
    engine = [file for file in ROOT.glob("*/**/*.py") if file.parts[len(ROOT.parts)] not in {"tests", "bench", ".venv"}]
    readers = {str(file.relative_to(ROOT)) for file in engine if re.search(r"os\.(environ|getenv)", file.read_text())}
    allowed = {"hogsend/settings.py", "hogsend/celery.py", "hogsend/wsgi.py"}
    assert {name for name in readers if not name.startswith("hogsend/embedded/")} <= allowed
