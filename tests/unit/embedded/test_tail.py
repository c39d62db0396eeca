from hogsend.embedded.processes import LARGEST_LOG, last_lines, open_log
from hogsend.embedded.tail import LogTail


def test_only_new_complete_lines_are_shown(tmp_path) -> None:
    log = tmp_path / "web.log"
    log.write_text("old\n")
    tail = LogTail({"web": log})
    with log.open("a") as file:
        file.write("one\ntwo\nhal")
    assert tail.new_lines("web") == ["one", "two"]
    with log.open("a") as file:
        file.write("f\n")
    assert tail.new_lines("web") == ["half"]
    assert tail.new_lines("web") == []


def test_a_log_that_does_not_exist_yet_has_no_lines(tmp_path) -> None:
    assert LogTail({"web": tmp_path / "web.log"}).new_lines("web") == []


def test_a_log_that_was_rotated_is_read_from_its_start(tmp_path) -> None:
    log = tmp_path / "web.log"
    log.write_text("a long line of before\n")
    tail = LogTail({"web": log})
    log.write_text("new\n")
    assert tail.new_lines("web") == ["new"]


def test_a_log_over_ten_megabytes_moves_aside(tmp_path) -> None:
    log = tmp_path / "web.log"
    with log.open("wb") as file:
        file.truncate(LARGEST_LOG + 1)
    open_log(log).close()
    assert log.stat().st_size == 0
    assert (tmp_path / "web.log.1").stat().st_size == LARGEST_LOG + 1


def test_the_end_of_a_log_names_the_file(tmp_path) -> None:
    log = tmp_path / "web.log"
    log.write_text("\n".join(str(number) for number in range(30)))
    assert last_lines(log, count=2) == f"Its log ({log}) ends with:\n28\n29"
    assert last_lines(None) == ""
