"""What staff type on the pages for one person."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from contacts.models import Contact
from hogsend.lib.address import normalise_email
from hogsend.lib.fields import InvalidFieldError, check_address


class WhoForm(forms.Form):
    """Whom somebody looks for."""

    q = forms.CharField(
        max_length=320,
        label="The other person",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="An address, user id, anonymous id or our id, in full.",
    )


class AddressForm(forms.Form):
    """An address that somebody has from now on."""

    email = forms.CharField(
        max_length=320,
        label="New address",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True, "autocomplete": "off", "inputmode": "email"}),
    )

    def clean_email(self) -> str:
        """Take the normal form of an address, or say what it must look like."""
        address = normalise_email(self.cleaned_data["email"])
        try:
            check_address(address)
        except InvalidFieldError as error:
            raise forms.ValidationError("This must be an e-mail address like ada@example.com.") from error
        return address


class EraseForm(forms.Form):
    """The name of somebody, typed by hand so that nobody else is erased by mistake."""

    name = forms.CharField(
        max_length=320, label="Type it here", widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, contact: Contact, **more: Any) -> None:
        super().__init__(*args, **more)
        self.names = {str(contact.id), *(name for name in (contact.email, contact.external_id) if name)}

    def clean_name(self) -> str:
        """Whoever presses must have typed the address, the user id or our id."""
        name: str = self.cleaned_data["name"].strip()
        if name not in self.names and normalise_email(name) not in self.names:
            raise forms.ValidationError("This is not the person on this page; nothing was erased.")
        return name
