"""What a form about criteria asks for, and what it gets."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from buckets.definitions import Bucket
from buckets.queries import Preview, preview
from conditions.reading import read
from conditions.tree import ConditionError, Node

LONGEST = 4000
PATIENCE = timedelta(seconds=10)
DEEP = "The criteria nest too deep; say them more simply."


class CriteriaForm(forms.Form):
    """Criteria in their plain form."""

    criteria = forms.CharField(
        max_length=LONGEST,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 14, "spellcheck": "false", "class": "hs-code"}),
        help_text="As JSON, the way the API shows a bucket's criteria. Nobody is moved by looking.",
    )
    node: Node

    def clean_criteria(self) -> str:
        """Read them, so that what cannot be is said where it was written."""
        text: str = self.cleaned_data["criteria"]
        try:
            self.node = read(json.loads(text))
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise forms.ValidationError(f"This is not JSON at {where}: {error.msg}. Correct it there.") from error
        except RecursionError as error:
            raise forms.ValidationError(DEEP) from error
        except ConditionError as error:
            raise forms.ValidationError(str(error)) from error
        return text


@dataclass(frozen=True, slots=True)
class Found:
    """What a preview found, in the words of the page."""

    preview: Preview

    @property
    def share(self) -> str:
        """How many of all people they are, in per cent."""
        return f"{self.preview.size / self.preview.people_total:.1%}" if self.preview.people_total else "0 %"

    @property
    def took(self) -> str:
        """How long it took to find them."""
        milliseconds = self.preview.took / timedelta(milliseconds=1)
        return f"{milliseconds:,.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.1f} s"  # noqa: PLR2004

    @property
    def cost(self) -> str:
        """What the planner expects it to cost."""
        return f"{self.preview.cost:,.0f}"

    @property
    def columns(self) -> list[str]:
        """The properties at which the criteria look, as far as anybody of the sample has them."""
        return sorted({name for one in self.preview.sample for name in one.properties})

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The sample with its properties in the order of the columns."""
        return [
            {"person": one, "values": [_said(one.properties.get(name)) for name in self.columns]}
            for one in self.preview.sample
        ]


def found(node: Node, *, now: datetime, sample: int) -> Found:
    """Look who would be in."""
    return Found(preview(node, now=now, sample=sample, timeout=PATIENCE))


def plain(bucket: Bucket) -> str:
    """Return a bucket's criteria as the form takes them."""
    return json.dumps(bucket.criteria.as_data(), indent=2, ensure_ascii=False)


def _said(value: Any) -> str:
    return "—" if value is None else json.dumps(value, ensure_ascii=False)
