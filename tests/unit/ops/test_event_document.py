import pytest

from ops.event_document import EventArgumentError, EventArguments, event_document, properties


def test_values_are_json_or_else_text() -> None:
    read = properties(
        ["seats=5", "plan=pro", 'code="5"', "on=true", "tags=[1]", "none=null", "eq=a=b"], option="--prop"
    )

    assert read == {"seats": 5, "plan": "pro", "code": "5", "on": True, "tags": [1], "none": None, "eq": "a=b"}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_python_but_not_json_calls_a_number_is_text(text: str) -> None:
    assert properties([f"x={text}"], option="--prop") == {"x": text}


@pytest.mark.parametrize("pair", ["plan", "=pro", ""])
def test_a_property_without_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(EventArgumentError, match=r"--prop is .*; write it as name=value"):
        properties([pair], option="--prop")


def test_what_was_not_given_is_left_out() -> None:
    assert event_document(EventArguments(name="user.created", email="ada@example.com")) == {
        "name": "user.created",
        "email": "ada@example.com",
    }


def test_an_event_is_somebodys() -> None:
    with pytest.raises(EventArgumentError, match="--user-id, --email or --anonymous-id"):
        event_document(EventArguments(name="user.created"))
