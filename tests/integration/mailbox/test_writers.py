import subprocess
import sys
import time
from pathlib import Path

from emails.mailbox import Mailbox

ROOT = Path(__file__).parents[3]
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from emails.mailbox import write_mail
root, writer = Path(sys.argv[1]), sys.argv[2]
for number in range(int(sys.argv[3])):
    content = f"Subject: {writer}-{number}\\nTo: ada@example.com\\n\\n" + "words " * 20_000 + "THE END\\n"
    write_mail(root, content.encode(), now=datetime.now(UTC))
"""
WRITERS, EACH = 6, 60
DEADLINE = 60


def start(root: Path, writer: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(root), str(writer), str(EACH)], cwd=ROOT)


def test_many_processes_write_at_once_and_no_reader_ever_meets_half_a_mail(tmp_path):
    root = tmp_path / "outbox"
    writers = [start(root, number) for number in range(WRITERS)]
    mailbox, seen, began = Mailbox(root), 0, time.monotonic()

    while any(writer.poll() is None for writer in writers):
        assert time.monotonic() - began < DEADLINE
        for entry in mailbox.page(size=10).entries:
            assert mailbox.read(entry.id).text.endswith("THE END\n")
            seen += 1

    assert [writer.returncode for writer in writers] == [0] * WRITERS
    subjects = [entry.subject for entry in mailbox.page(size=1000).entries]
    assert sorted(subjects) == sorted(f"{writer}-{number}" for writer in range(WRITERS) for number in range(EACH))
    for writer in range(WRITERS):
        mine = [int(subject.split("-")[1]) for subject in subjects if subject.startswith(f"{writer}-")]
        assert mine == sorted(mine, reverse=True)
    assert not list(root.glob("*/.*"))
    assert seen


def test_a_killed_writer_leaves_only_whole_mails(tmp_path):
    root = tmp_path / "outbox"
    mailbox, began = Mailbox(root), time.monotonic()
    writer = start(root, 0)
    while mailbox.count() < 5:
        assert time.monotonic() - began < DEADLINE
        assert writer.poll() is None or mailbox.count() >= 5

    writer.kill()
    writer.wait()

    entries = mailbox.page(size=1000).entries
    assert len(entries) >= 5
    assert all(mailbox.read(entry.id).text.endswith("THE END\n") for entry in entries)
