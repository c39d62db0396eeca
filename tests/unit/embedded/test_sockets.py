from pathlib import Path

import pytest

from hogsend.embedded.errors import EmbeddedError
from hogsend.embedded.sockets import LONGEST_PATH, private_directory, socket_directory


def test_a_short_path_keeps_its_socket_at_home() -> None:
    assert socket_directory(Path("/srv/hogsend/.state/valkey"), "valkey.sock") == Path("/srv/hogsend/.state/valkey")


@pytest.mark.parametrize("home", ["/srv/" + "long/" * 30, "/srv/a,b"])
def test_a_path_that_no_socket_can_have_moves_to_a_short_one(home: str) -> None:
    directory = socket_directory(Path(home), ".s.PGSQL.5432")
    assert directory.parent == Path("/tmp")
    assert len(str(directory / ".s.PGSQL.5432")) <= LONGEST_PATH
    assert directory == socket_directory(Path(home), ".s.PGSQL.5432")


def test_two_homes_never_share_a_short_directory() -> None:
    assert socket_directory(Path("/srv/a,1"), "s") != socket_directory(Path("/srv/a,2"), "s")


def test_a_private_directory_is_for_its_owner_alone(tmp_path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("open", "new"):
        private_directory(tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_a_private_directory_is_refused(tmp_path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        private_directory(tmp_path / "link")
